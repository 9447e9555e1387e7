// How whatever dials out leaves this machine: directly, or through the proxy its environment names. The proxy sees
// a CONNECT with host and port; TLS, and so the peer's identity, is end to end behind it.
import { lookup as systemLookup } from 'node:dns';
import { Agent, type AgentOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import { serverIdentity } from './server-identity.ts';

/** Names below `localhost` are this machine (RFC 6761 section 6.3); many system resolvers do not know. */
export const localhostAwareLookup: LookupFunction = (hostname, options, callback) => {
  const local = hostname === 'localhost' || hostname.endsWith('.localhost');
  systemLookup(local ? '127.0.0.1' : hostname, options, callback);
};

/** For requests and WebSockets. Honours HTTPS_PROXY and NO_PROXY of `env`. */
export function outboundAgent(options: AgentOptions = {}, env: NodeJS.ProcessEnv = process.env): Agent {
  return new Agent({
    lookup: localhostAwareLookup,
    checkServerIdentity: serverIdentity,
    ...options,
    proxyEnv: env,
  });
}
