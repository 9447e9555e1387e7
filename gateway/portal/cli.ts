// How a command line gets to act for a person: the person approves it in the browser, it redeems a code that only
// it can (OAuth for native apps, RFC 8252: loopback redirect and PKCE). No password or cookie passes a terminal.
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { numberOf } from '#connectors/wire/terminal';
import { hashSecret, newSecret } from '#gateway/identity/cookies';
import type { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR } from '#gateway/identity/terminal';
import type { Strangers } from '#gateway/inspect/strangers';
import type { Store } from '#gateway/state/store';
import type { Recorder } from '#siem/recorder';
import { OWN_HEADERS } from './page.ts';
import { approvePage, messagePage } from './pages.ts';
import { crossSite, nameOf, type PortalRequest } from './portal.ts';

/** A code is redeemed by the same machine at once, in milliseconds. */
const CODE_LIFE = 60_000;

export interface CliParts {
  readonly origin: string;
  readonly sessions: Sessions;
  readonly store: Store;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  readonly now: () => number;
}

const askSchema = z.object({
  port: z.string().regex(/^[1-9][0-9]{3,4}$/),
  challenge: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  state: z.string().regex(/^[A-Za-z0-9_-]{22,64}$/),
});
const redeemSchema = z.strictObject({ code: z.string().max(64), verifier: z.string().min(43).max(128) });

type Env = { Bindings: PortalRequest };

/** Mounted at `/cli` of the portal. */
export function cliApp(parts: CliParts): Hono<Env> {
  const { origin, sessions, store, recorder, strangers, now } = parts;
  const app = new Hono<Env>();

  app.get('/', async (c) => {
    const ask = askSchema.safeParse(c.req.query());
    if (!ask.success) return refuse(c, origin);
    const { session } = c.env;
    if (session === undefined) {
      const path = `/cli?${new URLSearchParams(ask.data)}`;
      return c.redirect(`${origin}/sign-in?${new URLSearchParams({ path })}`);
    }
    // The answer to the form is a redirect to the command line's own port: the policy must let it through.
    const csp = OWN_HEADERS['Content-Security-Policy'] ?? '';
    c.header(
      'Content-Security-Policy',
      csp.replace("form-action 'self'", `form-action 'self' http://127.0.0.1:${ask.data.port}`),
    );
    return c.html(await approvePage(origin, nameOf(session), numberOf(ask.data.challenge), ask.data));
  });

  app.post('/', async (c) => {
    const ask = askSchema.safeParse(await c.req.parseBody());
    const { session } = c.env;
    if (c.req.header('origin') !== origin) {
      await strangers.record(crossSite(c.env.client, new URL(origin).hostname, '/cli'));
      return refuse(c, origin);
    }
    if (!ask.success || session === undefined) return refuse(c, origin);
    const { port, challenge, state } = ask.data;
    const code = newSecret();
    await store.put('cliCode', hashSecret(code), { session: session.id, challenge }, now() + CODE_LIFE);
    return c.redirect(`http://127.0.0.1:${port}/?${new URLSearchParams({ code, state })}`);
  });

  app.post('/token', async (c) => {
    const body = redeemSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success)
      return c.json({ error: 'bad-request', message: 'Expected JSON with "code" and "verifier".' }, 400);
    const approved = await store.take('cliCode', hashSecret(body.data.code));
    const session = approved === undefined ? undefined : await sessions.byId(approved.session);
    const proven = approved?.challenge === hashSecret(body.data.verifier);
    const userAgent = c.req.header('user-agent');
    const { client } = c.env;
    if (session === undefined || !proven) {
      await strangers.record({ kind: 'login-failed', code: 'code-invalid', client, userAgent });
      return c.json(
        { error: 'code-invalid', message: 'This code was used, took too long, or is not yours.' },
        403,
      );
    }
    const { subject, login, id, expiresAt } = session;
    await recorder.record(
      { kind: 'login-succeeded', subject, login, session: id, client, userAgent },
      { durable: true },
    );
    // A command line proves its device itself.
    const { bond: _, ...unbound } = session;
    const door = await sessions.openDoor(unbound, CLI_DOOR);
    return c.json({ token: door.value, expiresAt, name: nameOf(session) }, 201);
  });
  return app;
}

async function refuse(c: Context<Env>, origin: string): Promise<Response> {
  const text = 'This is not a request of a command line that is waiting for you. Run sallyport login again.';
  return c.html(await messagePage(origin, { title: 'Not understood', text }), 400);
}
