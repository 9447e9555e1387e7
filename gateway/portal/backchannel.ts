// Where identity providers say that somebody signed out, or was signed out, with them: the person's sessions here end
// too (OpenID Connect Back-Channel Logout 1.0). No browser comes here; the signed token is all there is to trust.
import { Hono } from 'hono';
import type { Revoke } from '#gateway/access/revoke';
import { LoginError, type Provider } from '#gateway/identity/providers';
import type { Sessions } from '#gateway/identity/sessions';
import type { Strangers } from '#gateway/inspect/strangers';
import type { Store } from '#gateway/state/store';
import type { PortalRequest } from './portal.ts';

const BODY_LIMIT = 32 * 1024;

export interface BackchannelParts {
  readonly host: string;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly sessions: Sessions;
  readonly revoke: Revoke;
  readonly store: Store;
  readonly strangers: Strangers;
  readonly now: () => number;
}

type Env = { Bindings: PortalRequest };

/** Mounted at `/backchannel-logout` of the portal. */
export function backchannelApp(parts: BackchannelParts): Hono<Env> {
  const { host, providers, sessions, revoke, store, strangers, now } = parts;
  const app = new Hono<Env>();
  app.post('/:provider', async (c) => {
    c.header('Cache-Control', 'no-store');
    const refuse = async (why: string): Promise<Response> => {
      const { client } = c.env;
      const target = '/backchannel-logout';
      await strangers.record({
        ...{
          kind: 'request-refused',
          code: 'logout-token',
          status: 400,
          client,
          host,
          method: 'POST',
          target,
        },
      });
      return c.json({ error: 'invalid_request', error_description: why }, 400);
    };
    const provider = providers.get(c.req.param('provider'));
    if (provider === undefined) return refuse('there is no such provider');
    if (Number(c.req.header('content-length') ?? BODY_LIMIT + 1) > BODY_LIMIT) return refuse('too long');
    const token = (await c.req.parseBody())['logout_token'];
    if (typeof token !== 'string') return refuse('there is no logout_token');
    let wish: Awaited<ReturnType<Provider['logoutToken']>>;
    try {
      wish = await provider.logoutToken(token);
    } catch (error) {
      if (error instanceof LoginError) return c.json({ error: 'temporarily_unavailable' }, 503);
      return refuse('the token does not verify');
    }
    const id = `${provider.config.id} ${wish.token}`;
    if ((await store.get('spentToken', id)) !== undefined) return refuse('it was used');
    const by = { kind: 'gateway', id: `provider:${provider.config.id}`, name: provider.config.name } as const;
    for (const session of await meant(wish.subject, wish.session, provider.config.id)) {
      await revoke.revoke({ kind: 'session', id: session }, by, 'signed out at the identity provider');
    }
    // Only now: a provider that was answered with a failure sends it again.
    await store.put('spentToken', id, { at: now() }, wish.expiresAt);
    return c.body(null, 200);
  });
  return app;

  async function meant(
    subject: string | undefined,
    session: string | undefined,
    provider: string,
  ): Promise<readonly string[]> {
    if (session !== undefined) return sessions.ofProvider(provider, session);
    const theirs = subject === undefined ? [] : await sessions.ofPerson(subject);
    return theirs.filter(({ login }) => login.provider === provider).map(({ id }) => id);
  }
}
