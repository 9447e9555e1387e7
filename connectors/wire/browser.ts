// How a browser shows which device it is on: what the portal, the device's agent and the portal again hand on in
// redirects of that browser.

/** On the agent's loopback port: `?challenge=`, answered by a redirect to the portal. */
export const AGENT_PATH = '/bind';
/** On the portal's host: where it begins, and where the agent's statement is brought. */
export const BROWSER_PATH = '/device/browser';
export const BOUND_PATH = '/device/bound';
/** `typ` of the statement: a JWT by the device's session key, which it carries as `jwk`. */
export const STATEMENT_TYPE = 'sallyport-browser+jwt';
/** What a challenge looks like; nothing else is signed. */
export const CHALLENGE: RegExp = /^[A-Za-z0-9_-]{43}$/;
