// The portal's own addresses: signing in and out, a person's apps, and the keys apps check our assertions with.
import { type Context, Hono } from 'hono';
import type { AppConfig, ProviderConfig } from '#gateway/config';
import type { NetworkFacts } from '#gateway/context/facts';
import { canonicalTarget } from '#gateway/edge/target';
import {
  browserCookie,
  browserSecrets,
  newSecret,
  SESSION_COOKIE,
  setCookie,
} from '#gateway/identity/cookies';
import type { LiveSession } from '#gateway/identity/live-session';
import { LoginError, type Provider } from '#gateway/identity/providers';
import type { Sessions } from '#gateway/identity/sessions';
import type { SignIn } from '#gateway/identity/sign-in';
import type { SignInTroubles } from '#gateway/identity/sign-in-troubles';
import type { Strangers } from '#gateway/inspect/strangers';
import type { AssertionSigner } from '#gateway/pki/assertion';
import type { Destination } from '#gateway/state/store';
import type { RequestRefused } from '#siem/event';
import type { Peer } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import { OWN_HEADERS } from './page.ts';
import {
  type AppCard,
  homePage,
  messagePage,
  nothingHere,
  signedOutPage,
  signInPage,
  signOutPage,
} from './pages.ts';

/** What the edge knows of a request before hono sees it. */
export interface PortalRequest {
  readonly client: Peer;
  readonly network: NetworkFacts;
  readonly session: LiveSession | undefined;
  /** Channel binding of the TLS connection (RFC 9266); undefined where there is none. */
  exporter(): Buffer | undefined;
}

export interface PortalParts {
  /** The portal's origin, `https://access.example.com:8443`. */
  readonly origin: string;
  readonly apps: readonly AppConfig[];
  readonly providers: ReadonlyMap<string, Provider>;
  readonly signIn: SignIn;
  readonly troubles: SignInTroubles;
  readonly sessions: Sessions;
  readonly signer: AssertionSigner;
  /** What lies below /cli. */
  readonly cli: Hono<Env>;
  /** What lies below /device. */
  readonly devices: Hono<Env>;
  /** What lies below /ssh. */
  readonly ssh: Hono<Env>;
  /** What lies below /backchannel-logout. */
  readonly backchannel: Hono<Env>;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  /** The origin of an app's host. */
  originOf(host: string): string;
  /** The cards a person may see. */
  cards(request: PortalRequest & { readonly session: LiveSession }): Promise<readonly AppCard[]>;
}

type Env = { Bindings: PortalRequest };
/** Where back ends look for keys: ours, then where those made for Pomerium and Cloudflare Access look. */
const KEY_SETS = ['/.well-known/jwks.json', '/.well-known/pomerium/jwks.json', '/cdn-cgi/access/certs'];
const MAX_START = 64;

export function portalApp(parts: PortalParts): Hono<Env> {
  const { origin, sessions } = parts;
  const app = new Hono<Env>();
  const host = new URL(origin).hostname;

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(OWN_HEADERS)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  });
  app.onError(async (error, c) => {
    if (!(error instanceof LoginError)) throw error;
    const title = error.status === 503 ? 'Sign-in is not available' : 'Sign-in did not work';
    const action = { label: 'Try again', href: `${origin}/sign-in` };
    return c.html(await messagePage(origin, { title, text: error.message }, action), error.status);
  });
  app.notFound(async (c) => c.html(await nothingHere(origin), 404));

  /** Records a sign-in that failed, and throws the error again. */
  async function failed(c: Context<Env>, provider: string, error: unknown): Promise<never> {
    if (error instanceof LoginError) {
      parts.troubles.tell(provider, error);
      const userAgent = c.req.header('user-agent');
      const { client } = c.env;
      await parts.strangers.record({ kind: 'login-failed', code: error.code, provider, client, userAgent });
    }
    throw error;
  }

  for (const path of KEY_SETS) {
    app.get(path, (c) => c.json(parts.signer.jwks, 200, { 'Cache-Control': 'public, max-age=300' }));
  }

  app.route('/cli', parts.cli);
  app.route('/device', parts.devices);
  app.route('/ssh', parts.ssh);
  app.route('/backchannel-logout', parts.backchannel);

  app.get('/', async (c) => {
    const { session } = c.env;
    if (session === undefined) return c.redirect(`${origin}/sign-in`);
    return c.html(await homePage(origin, nameOf(session), await parts.cards({ ...c.env, session })));
  });

  app.get('/sign-in', async (c) => {
    const { session } = c.env;
    const destination = destinationOf(parts, c.req.query('host'), c.req.query('path'), c.req.query('start'));
    const stepUp = c.req.query('step-up') === '1';
    if (session !== undefined && !stepUp) return c.redirect(await onwards(parts, session, destination));
    const chosen = c.req.query('provider') ?? (stepUp ? session?.login.provider : undefined);
    const only = parts.providers.size === 1 ? [...parts.providers.keys()][0] : undefined;
    const provider = chosen ?? only;
    if (provider === undefined) return c.html(await signInPage(origin, choices(parts, c.req.url)));
    const browser = browserSecrets(c.req.header('cookie'))[0] ?? newSecret();
    if (session === undefined) await parts.strangers.admit('sign-in', c.env.client);
    const begin = {
      ...{ provider, browser },
      ...(destination === undefined ? {} : { destination }),
      ...(stepUp ? { maxAge: 0 } : {}),
    };
    const url = await parts.signIn.begin(begin).catch((error: unknown) => failed(c, provider, error));
    c.header('Set-Cookie', browserCookie(browser));
    return c.redirect(url);
  });

  app.get('/callback/:provider', async (c) => {
    const { client, session: previous } = c.env;
    const provider = c.req.param('provider');
    const userAgent = c.req.header('user-agent');
    const browsers = browserSecrets(c.req.header('cookie'));
    const callback = new URL(c.req.url);
    try {
      const { session, destination } = await parts.signIn.finish(
        provider,
        callback,
        browsers,
        client.address,
        previous,
      );
      const { subject, login } = session;
      const stepUp = previous !== undefined;
      // Recorded for good before the cookie exists: nobody is signed in without a trace of it.
      await parts.recorder.record(
        { kind: 'login-succeeded', subject, login, session: session.id, client, userAgent, stepUp },
        { durable: true },
      );
      const door = await sessions.openDoor(session, host);
      // The browser cookies stay: another tab may be signing in at the same time.
      c.header('Set-Cookie', setCookie(SESSION_COOKIE, door.value, door.maxAge));
      return c.redirect(await onwards(parts, session, destination));
    } catch (error) {
      return failed(c, provider, error);
    }
  });

  app.get('/sign-out', async (c) => {
    const { session } = c.env;
    return c.html(
      session === undefined
        ? await signedOutPage(origin, undefined)
        : await signOutPage(origin, nameOf(session)),
    );
  });

  app.post('/sign-out', async (c) => {
    // Browsers send Origin with every POST: another site's form cannot sign somebody out (CWE-352).
    if (c.req.header('origin') !== origin) {
      await parts.strangers.record(crossSite(c.env.client, host, '/sign-out'));
      return c.html(
        await messagePage(origin, { title: 'Not from here', text: 'This form belongs to another site.' }),
        403,
      );
    }
    const { session, client } = c.env;
    let further: string | undefined;
    if (session !== undefined) {
      await sessions.end(session.id, 'logout');
      const { subject, id, login } = session;
      await parts.recorder.record({ kind: 'logout', subject, session: id, client }, { durable: true });
      further = await parts.providers.get(login.provider)?.endSessionUrl(`${origin}/sign-out`);
    }
    c.header('Set-Cookie', setCookie(SESSION_COOKIE, '', 0));
    return c.html(await signedOutPage(origin, further));
  });
  return app;
}

/** What is recorded of a form that another site made a browser send. */
export function crossSite(client: Peer, host: string, target: string): RequestRefused {
  return { kind: 'request-refused', code: 'cross-site', status: 403, client, host, method: 'POST', target };
}

/** Where a signed-in person goes next: to the app by a hand-off code, or to the portal. */
export async function onwards(
  parts: Pick<PortalParts, 'origin' | 'sessions' | 'originOf'>,
  session: LiveSession,
  destination: Destination | undefined,
): Promise<string> {
  if (destination === undefined) return `${parts.origin}/`;
  if (destination.host === new URL(parts.origin).hostname) return parts.origin + destination.path;
  const code = await parts.sessions.handOff(session, destination);
  return `${parts.originOf(destination.host)}/.sallyport/enter?code=${code}`;
}

/** A destination only if it is one of our apps and a path that the front would take: no open redirect (CWE-601). */
export function destinationOf(
  parts: Pick<PortalParts, 'origin' | 'apps'>,
  host: string | undefined,
  path: string | undefined,
  start: string | undefined,
): Destination | undefined {
  const target = path?.startsWith('/') ? canonicalTarget(path, host ?? '') : undefined;
  const clean = target?.ok ? target.path + target.query : '/';
  if (host === undefined) return { host: new URL(parts.origin).hostname, start: '', path: clean };
  if (start === undefined || start.length > MAX_START) return undefined;
  if (!parts.apps.some((app) => app.protocol === 'http' && app.host === host)) return undefined;
  return { host, start, path: clean };
}

function choices(parts: PortalParts, url: string): { name: string; href: string }[] {
  return [...parts.providers.values()].map(({ config }: { config: ProviderConfig }) => {
    const href = new URL(url);
    href.searchParams.set('provider', config.id);
    return { name: config.name, href: `${parts.origin}/sign-in${href.search}` };
  });
}

export function nameOf(session: LiveSession): string {
  return session.subject.name ?? session.subject.email ?? session.subject.id;
}
