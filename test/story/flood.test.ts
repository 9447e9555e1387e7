// Strangers who ask without end, on every address that answers them: what is recorded stays within its limit, nothing is
// lost, and somebody signed in, or who comes to sign in from the very same network, notices nothing.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import type { Recorded } from './record.ts';
import { stepsOf } from './steps.ts';

const SHARE = 80;
const EACH = 60;
/** Connections at once. */
const AT_ONCE = 8;

interface Ask {
  readonly what: string;
  readonly listener: 'people' | 'connectors';
  readonly host: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const JSON_BODY = { 'content-type': 'application/json' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const WEBSOCKET = {
  connection: 'upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const portal = { listener: 'people', host: 'access.localhost' } as const;
const app = { listener: 'people', host: 'wiki.localhost' } as const;
const connectors = { listener: 'connectors', host: 'localhost' } as const;

/** Each is refused, and each refusal would be a record. */
const REFUSED: readonly Ask[] = [
  { what: 'a malformed path', ...app, method: 'GET', path: '/a%2fb' },
  { what: 'no session', ...app, method: 'GET', path: '/' },
  { what: 'a guessed hand-off', ...app, method: 'GET', path: '/.sallyport/enter?code=guess' },
  { what: 'a guessed callback', ...portal, method: 'GET', path: '/callback/corp?code=x&state=y' },
  { what: 'a form of another site', ...portal, method: 'POST', path: '/sign-out', headers: FORM },
  {
    what: 'a guessed code of a command line',
    ...{ ...portal, method: 'POST', path: '/cli/token', headers: JSON_BODY },
    body: JSON.stringify({ code: 'x', verifier: 'v'.repeat(43) }),
  },
  { what: 'a terminal without a token', ...portal, method: 'GET', path: '/connect/db', headers: WEBSOCKET },
  {
    what: 'a guessed logout token',
    ...{ ...portal, method: 'POST', path: '/backchannel-logout/corp', headers: FORM, body: 'logout_token=x' },
  },
  { what: 'a browser that proves nothing', ...portal, method: 'GET', path: '/device/bound?proof=x' },
  {
    what: 'a guessed enrolment token',
    ...{ ...connectors, method: 'POST', path: '/v1/enrol', headers: JSON_BODY },
    body: JSON.stringify({ token: 'x', csr: 'y' }),
  },
  { what: 'a renewal without certificate', ...connectors, method: 'POST', path: '/v1/renew', body: '{}' },
  {
    what: 'a tunnel without certificate',
    ...connectors,
    method: 'GET',
    path: '/v1/tunnel',
    headers: WEBSOCKET,
  },
];

/** Each writes to the store, or would make the gateway ask others. */
const COSTLY: readonly (Ask & { readonly code: string })[] = [
  { code: 'sign-in', what: 'a sign-in that is begun', ...portal, method: 'GET', path: '/sign-in' },
  {
    code: 'device-challenge',
    what: 'a challenge for a device',
    ...{ ...portal, method: 'POST', path: '/device/challenge', headers: JSON_BODY },
    body: JSON.stringify({ device: 'A'.repeat(43) }),
  },
];

test('strangers who ask without end', { skip: requires(...NEEDS), timeout: 180_000 }, async (t) => {
  const further = `limits: { strangers: { perAddress: ${SHARE}, together: ${SHARE * 3} } }\n`;
  const installation = await StoryInstallation.start(t, { further });
  const step = stepsOf(t);
  const wiki = `${installation.originOf('wiki')}/`;
  const ada = installation.visitor();
  await ada.signIn(wiki, 'ada', 'password');
  const refused = new Map<string, number[]>();

  await step('each is refused, then told to come later, and cut off', async () => {
    for (const ask of REFUSED) refused.set(ask.what, await flood(installation, ask, EACH));
    for (const [what, statuses] of [...refused].slice(2)) {
      assert.ok(statuses.includes(429), `${what}: ${statuses}`);
    }
    // Far beyond the limit by now, each of them is one too many.
    for (const ask of REFUSED) {
      assert.deepEqual(new Set(await flood(installation, ask, AT_ONCE)), new Set([429]), ask.what);
    }
  });

  await step('meanwhile somebody signed in is served as ever', async () => {
    const attack = Promise.all(REFUSED.slice(0, 3).map((ask) => flood(installation, ask, EACH)));
    for (let i = 0; i < 20; i += 1) assert.equal((await ada.ask(wiki)).status, 200);
    await attack;
  });

  await step('and somebody else signs in from the same address', async () => {
    const ben = installation.visitor();
    assert.equal((await ben.signIn(wiki, 'ben', 'password')).status, 200);
  });

  await step('what costs more than an answer is given so often, and then no more', async () => {
    for (const ask of COSTLY) {
      const statuses = await flood(installation, ask, SHARE * 2);
      const given = statuses.filter((status) => status !== 429).length;
      assert.ok(given <= SHARE && given >= SHARE / 2, `${ask.what}: ${given}`);
    }
    assert.equal((await ada.ask(wiki)).status, 200);
  });

  await step('the record stayed within its limit, and nothing is lost', async () => {
    const counted = await installation.metric('sallyport_refused_total');
    await installation.gateway.stop();
    const events = installation.events();
    const singly = events.filter(isRefusal).length;
    // Two minutes may have been touched.
    assert.ok(singly <= SHARE * 2, `${singly} were recorded`);
    const codes = events.flatMap(
      ({ sallyport }) => (sallyport as Summed | undefined)?.refusals?.by_code ?? [],
    );
    const costly = new Set(COSTLY.map(({ code }) => code));
    const summed = codes.filter(({ code }) => !costly.has(code)).reduce((sum, { count }) => sum + count, 0);
    assert.ok(summed > REFUSED.length * EACH - SHARE * 2, `${summed} were summed`);
    assert.equal(singly + summed, counted);
    for (const code of costly) assert.ok(codes.some((one) => one.code === code));
  });
});

interface Summed {
  readonly refusals?: { readonly by_code: readonly { readonly code: string; readonly count: number }[] };
}

function isRefusal({ event }: Recorded): boolean {
  return /^(?:request-refused|login-failed|connector-refused|(?:connector|device)-[a-z]+-refused)$/.test(
    event.action,
  );
}

/** Asks that often, each time on a connection of its own, and answers the statuses. */
async function flood(installation: StoryInstallation, ask: Ask, times: number): Promise<number[]> {
  const statuses: number[] = [];
  let left = times;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      statuses.push(await once(installation, ask));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return statuses;
}

function once({ ports, ca }: StoryInstallation, ask: Ask): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { method, path, body = '' } = ask;
  const port = ports[ask.listener];
  const headers = {
    host: `${ask.host}:${port}`,
    ...(method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}),
    ...ask.headers,
  };
  const asked = request(
    // The connectors' listener has an authority of its own.
    {
      ...{ host: '127.0.0.1', port, servername: ask.host, method, path, headers, agent: false },
      ...(ask.listener === 'people' ? { ca } : { rejectUnauthorized: false }),
    },
    (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
      response.socket.destroy();
    },
  );
  asked.on('error', reject);
  asked.end(body);
  return promise;
}
