// How a browser's session gets bound to the attested device it runs on: a redirect to that device's agent on loopback,
// which only this machine can follow, and back with a statement signed in its TPM. See docs/attestation.md for what
// this resists.
import { type Context, Hono } from 'hono';
import { AGENT_PATH, CHALLENGE, STATEMENT_TYPE } from '#connectors/wire/browser';
import type { DeviceDesk } from '#gateway/attest/desk';
import type { ListedDevice } from '#gateway/attest/device-verifier';
import { networkOf } from '#gateway/edge/address';
import { hashSecret, newSecret, readCookie, SESSION_COOKIE, setCookie } from '#gateway/identity/cookies';
import { ProofError, verified } from '#gateway/identity/dpop';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Sessions } from '#gateway/identity/sessions';
import type { BrowserAsk, Destination, DeviceBond, Store } from '#gateway/state/store';
import { chooseDevicePage, messagePage } from './pages.ts';
import type { PortalRequest } from './portal.ts';

/** A browser has this long to come back from the agent, in milliseconds. */
const ASK_LIFE = 60_000;

export interface BrowserParts {
  readonly origin: string;
  readonly desk: DeviceDesk;
  readonly sessions: Sessions;
  readonly store: Store;
  /** Milliseconds after which a browser must show its device again. */
  readonly life: number;
  readonly now: () => number;
  /** The person's destination in a query, if it is one of ours. */
  destinationOf(query: (name: string) => string | undefined): Destination | undefined;
  /** Where a session goes on to, with its bond. */
  onwards(session: LiveSession, destination: Destination | undefined): Promise<string>;
}

type Env = { Bindings: PortalRequest };

/** Why a browser was not bound, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  'ask-unknown': 'This took too long, or was begun in another browser. Try again.',
  'other-device': 'The agent that answered belongs to another device. Try again.',
  'other-person': 'This device is somebody else’s, or its agent is signed in as somebody else.',
  'other-network': 'The device and this browser are not on the same network.',
  'device-silent': 'The device has not proved its state lately. Start `sallyport device agent` on it.',
};

/** Mounted at `/device` of the portal. */
export function browserApp(parts: BrowserParts): Hono<Env> {
  const { origin, desk, sessions, store, now } = parts;
  const app = new Hono<Env>();

  app.get('/browser', async (c) => {
    const { session, client } = c.env;
    if (session === undefined) {
      const path = new URL(c.req.url).pathname + new URL(c.req.url).search;
      return c.redirect(`${origin}/sign-in?${new URLSearchParams({ path })}`);
    }
    const destination = parts.destinationOf((name) => c.req.query(name));
    if (await holds(session, client.address)) return c.redirect(await parts.onwards(session, destination));
    const devices = await devicesOf(session);
    const wanted = c.req.query('device');
    const chosen = devices.length === 1 ? devices[0] : devices.find(({ device }) => device.device === wanted);
    if (chosen === undefined) return choose(c, devices);
    const challenge = newSecret();
    const ask: BrowserAsk = {
      session: session.id,
      door: doorOf(c),
      device: chosen.device.device,
      ...(destination === undefined ? {} : { destination }),
    };
    await store.put('browserAsk', hashSecret(challenge), ask, now() + ASK_LIFE);
    return c.redirect(`http://127.0.0.1:${chosen.port}${AGENT_PATH}?${new URLSearchParams({ challenge })}`);
  });

  app.get('/bound', async (c) => {
    const { session, client } = c.env;
    const told: { device?: string } = {};
    try {
      if (session === undefined) throw new ProofError('proof-invalid', 'Nobody is signed in.');
      const { ask, bond } = await proven(c, session, told);
      const bound: LiveSession = { ...session, bond };
      // Recorded before the cookie exists, as a sign-in is.
      await desk.bound('browser', bound, client);
      const door = await sessions.openDoor(bound, new URL(origin).hostname);
      await sessions.doors.close(readCookie(c.req.header('cookie'), SESSION_COOKIE));
      c.header('Set-Cookie', setCookie(SESSION_COOKIE, door.value, door.maxAge));
      return c.redirect(await parts.onwards(bound, ask.destination));
    } catch (error) {
      if (!(error instanceof BindError) && !(error instanceof ProofError)) throw error;
      await desk.refused('browser', error.code, { ...told, session, client });
      const text = REFUSALS[error.code] ?? 'This device’s proof was not accepted. Try again.';
      const again = { label: 'Try again', href: `${origin}/device/browser` };
      return c.html(await messagePage(origin, { title: 'This browser was not bound', text }, again), 403);
    }
  });
  return app;

  /** Whether the door in use is bound already, as well as it can be. */
  async function holds({ bond }: LiveSession, address: string): Promise<boolean> {
    if (bond === undefined || bond.until <= now() || bond.network !== networkOf(address)) return false;
    return (await desk.posture(bond.device))?.keyThumbprint === bond.key;
  }

  /** Devices whose agents answer browsers of this person. */
  async function devicesOf({ subject }: LiveSession): Promise<{ device: ListedDevice; port: number }[]> {
    const found: { device: ListedDevice; port: number }[] = [];
    for (const [id, agent] of await store.list('deviceAgent')) {
      if (agent.subject !== subject.id || agent.port === undefined) continue;
      const device = await desk.find(id);
      if (device !== undefined && device.state === 'approved') found.push({ device, port: agent.port });
    }
    return found;
  }

  async function choose(c: Context<Env>, devices: readonly { device: ListedDevice }[]): Promise<Response> {
    const choices = devices.map(({ device }) => {
      const url = new URL(c.req.url);
      url.searchParams.set('device', device.device);
      return { name: device.name, href: `${origin}/device/browser${url.search}` };
    });
    return c.html(await chooseDevicePage(origin, choices), choices.length === 0 ? 403 : 200);
  }

  /** Burns the challenge and checks everything that the statement must show. */
  async function proven(
    c: Context<Env>,
    session: LiveSession,
    told: { device?: string },
  ): Promise<{ ask: BrowserAsk; bond: DeviceBond }> {
    const { claims, key } = await verified(c.req.query('proof') ?? '', STATEMENT_TYPE, now());
    const { aud, nonce } = claims;
    if (aud !== origin || typeof nonce !== 'string' || !CHALLENGE.test(nonce)) {
      throw new ProofError('proof-invalid', 'The statement is for another gateway.');
    }
    const ask = await store.take('browserAsk', hashSecret(nonce));
    if (ask === undefined || ask.session !== session.id || ask.door !== doorOf(c)) {
      throw new BindError('ask-unknown');
    }
    told.device = ask.device;
    const posture = await desk.posture(ask.device);
    if (posture === undefined) throw new BindError('device-silent');
    if (posture.keyThumbprint !== key) throw new BindError('other-device');
    const agent = await store.get('deviceAgent', ask.device);
    if (agent?.subject !== session.subject.id) throw new BindError('other-person');
    const network = networkOf(c.env.client.address);
    if (agent.network !== network) throw new BindError('other-network');
    const until = Math.min(session.expiresAt, now() + parts.life);
    // A restart ends what was bound before it: the boot of the first bond stays the session's.
    const boot = session.bond?.device === ask.device ? session.bond.boot : posture.boot;
    return {
      ask,
      bond: { device: ask.device, key, network, until, ...(boot === undefined ? {} : { boot }) },
    };
  }
}

/** The door in use: the browser that began must be the one that comes back. */
function doorOf(c: Context<Env>): string {
  return hashSecret(readCookie(c.req.header('cookie'), SESSION_COOKIE) ?? '');
}

class BindError extends Error {
  readonly code: string;
  constructor(code: keyof typeof REFUSALS) {
    super(REFUSALS[code]);
    this.code = code;
  }
}
