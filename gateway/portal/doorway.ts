// The few addresses of ours on every app's host, below /.sallyport/: how a session signed in at the portal gets
// its cookie here. An app never sees a request to them.
import { Hono } from 'hono';
import { BROWSER_PATH } from '#connectors/wire/browser';
import {
  browserCookie,
  browserSecrets,
  hashSecret,
  newSecret,
  readCookie,
  SESSION_COOKIE,
  setCookie,
} from '#gateway/identity/cookies';
import type { Sessions } from '#gateway/identity/sessions';
import type { Strangers } from '#gateway/inspect/strangers';
import type { Peer } from '#siem/parties';
import { OWN_HEADERS } from './page.ts';
import { messagePage, nothingHere } from './pages.ts';

/** Everything below this path on an app's host is ours. */
export const DOORWAY = '/.sallyport/';
/** A longer path is not carried through the sign-in; the person then lands on the app's first page. */
const MAX_PATH = 2048;

/** The redirect that begins a sign-in (or another page of the portal) for an app: where to, and the cookie that ties its end to this browser. */
export function signInRedirect(
  portal: string,
  host: string,
  path: string,
  cookies: string | undefined,
  stepUp: boolean,
  page = '/sign-in',
): { readonly location: string; readonly cookie: string } {
  const start = browserSecrets(cookies)[0] ?? newSecret();
  const query = new URLSearchParams({
    host,
    path: path.length > MAX_PATH ? '/' : path,
    start: hashSecret(start),
    ...(stepUp ? { 'step-up': '1' } : {}),
  });
  return {
    location: `${portal}${page}?${query}`,
    cookie: browserCookie(start),
  };
}

/** Bindings: the app's host as the front found it, and who asks. */
export type DoorwayRequest = { readonly host: string; readonly client: Peer };

export function doorwayApp(
  portal: string,
  sessions: Sessions,
  strangers: Strangers,
): Hono<{ Bindings: DoorwayRequest }> {
  const app = new Hono<{ Bindings: DoorwayRequest }>();
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(OWN_HEADERS)) c.res.headers.set(name, value);
  });
  // Whatever fails is answered as any failure on a request's way is.
  app.onError((error) => {
    throw error;
  });
  app.notFound(async (c) => c.html(await nothingHere(portal), 404));

  app.get(`${DOORWAY}enter`, async (c) => {
    const { host, client } = c.env;
    const starts = browserSecrets(c.req.header('cookie'));
    const entered = await sessions.receive(c.req.query('code') ?? '', host, starts);
    if (entered === undefined) {
      const userAgent = c.req.header('user-agent');
      await strangers.record({ kind: 'login-failed', code: 'hand-off-unknown', client, userAgent });
      const text = 'This way in was already used, took too long, or was begun in another browser.';
      return c.html(
        await messagePage(portal, { title: 'Please try again', text }, { label: 'Try again', href: '/' }),
        400,
      );
    }
    const door = await sessions.openDoor(entered.session, host);
    // What the old cookie opened is open by the new one, and perhaps more: a copy of the old one is not needed.
    await sessions.doors.close(readCookie(c.req.header('cookie'), SESSION_COOKIE));
    c.header('Set-Cookie', setCookie(SESSION_COOKIE, door.value, door.maxAge));
    return c.redirect(entered.path);
  });

  app.get(`${DOORWAY}device`, (c) => {
    const begin = signInRedirect(
      portal,
      c.env.host,
      c.req.query('path') ?? '/',
      c.req.header('cookie'),
      false,
      BROWSER_PATH,
    );
    c.header('Set-Cookie', begin.cookie);
    return c.redirect(begin.location);
  });

  app.get(`${DOORWAY}step-up`, (c) => {
    const { location, cookie } = signInRedirect(
      portal,
      c.env.host,
      c.req.query('path') ?? '/',
      c.req.header('cookie'),
      true,
    );
    c.header('Set-Cookie', cookie);
    return c.redirect(location);
  });
  return app;
}
