// What is open is decided again: a WebSocket, an event stream and a TCP connection are closed when the policy takes the
// access away, when its window ends, and when the session is revoked, and the record says how long closing took.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import WebSocket from 'ws';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import type { Recorded } from './record.ts';
import { stepsOf } from './steps.ts';
import { Person } from './terminal/person.ts';

/** Promised from the moment at which access was taken away, in milliseconds. */
const CLOSED_WITHIN = 2_000;

interface Closed extends Recorded {
  readonly sallyport?: Recorded['sallyport'] & { readonly stream?: { readonly enforce_ms?: number } };
}

async function start(t: TestContext): Promise<StoryInstallation> {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.after(() => echo.close());
  const { port } = echo.address() as AddressInfo;
  return StoryInstallation.start(t, {
    further: '  - { id: echo, name: Echo, protocol: tcp, connectors: [rack-1] }\n',
    prepare: (directory) => {
      const edit = (name: string, change: (text: string) => string): void =>
        writeFileSync(`${directory}/${name}`, change(readFileSync(`${directory}/${name}`, 'utf8')));
      edit('connector.yaml', (text) => `${text}  echo: { url: "tcp://127.0.0.1:${port}" }\n`);
      edit(
        'policy.yaml',
        (text) =>
          `${text.replace('mirror, spare]', 'mirror, spare, echo]')}  - { id: engineers-echo, allow: echo, who: engineering }\n`,
      );
    },
  });
}

test('what is open is closed when it is no longer allowed', {
  skip: requires(...NEEDS),
  timeout: 120_000,
}, async (t) => {
  const step = stepsOf(t);
  const installation = await start(t);
  const drop = installation.originOf('drop');
  const person = new Person(installation, 'ada');
  assert.equal((await (await person.login()).ended).code, 0);
  await person.visitor.signIn(`${drop}/`, 'ada', 'key');
  const forward = person.run('connect', 'echo', '--json');
  const [, localPort = ''] = await forward.said(/"port":(\d+)/);
  const good = readFileSync(installation.path('policy.yaml'), 'utf8');

  /** Opens one of each; resolves for each when its client sees the end. */
  const openAll = async (): Promise<Promise<unknown>[]> => {
    const headers = { cookie: person.visitor.cookieHeader('drop.localhost'), origin: drop };
    const tls = { ca: installation.ca, lookup: localhostAwareLookup, headers };
    const ws = new WebSocket(`${drop}/echo`.replace('https:', 'wss:'), tls);
    ws.on('error', () => {});
    await once(ws, 'open');
    const asked = request(`${drop}/events`, { ...tls, agent: false });
    asked.end();
    const [events] = (await once(asked, 'response')) as [IncomingMessage];
    events.on('error', () => {}).resume();
    const tcp = connect(Number(localPort), '127.0.0.1');
    tcp.on('error', () => {});
    tcp.write('hello');
    assert.equal(String((await once(tcp, 'data'))[0]), 'hello');
    return [ws, events, tcp].map((end) => new Promise((resolve) => end.once('close', resolve)));
  };
  const ends = (): Closed[] =>
    installation.events().filter(({ event }) => event.action === 'stream-closed') as Closed[];
  const closedBy = async (reasons: readonly string[], take: () => void | Promise<void>): Promise<void> => {
    const before = ends().length;
    const closed = await openAll();
    await take();
    await Promise.all(closed);
    const recorded = await until('all three are recorded', () => {
      const now = ends().slice(before);
      return now.length === 3 && now;
    });
    assert.deepEqual(recorded.map(({ sallyport }) => sallyport?.app?.id).sort(), ['drop', 'drop', 'echo']);
    for (const { event, sallyport } of recorded) {
      assert.ok(reasons.includes(event.code ?? ''), `closed for ${event.code}`);
      const took = sallyport?.stream?.enforce_ms;
      assert.ok(took !== undefined && took >= 0 && took <= CLOSED_WITHIN, `enforce_ms ${took}`);
    }
    t.diagnostic(
      `${reasons[0]}: closed in ${recorded.map(({ sallyport }) => sallyport?.stream?.enforce_ms).join(', ')} ms`,
    );
  };
  const swap = (policy: string): void => {
    installation.write('policy.yaml', policy);
    installation.gateway.signal('SIGHUP');
  };
  const allowed = (): Promise<unknown> =>
    until('it is allowed again', async () => (await person.visitor.ask(`${drop}/`)).status === 200);

  await step('by a policy that allows it no more', async () => {
    const without = good.replace(/ {2}- \{ id: engineers-(drop|echo).*\n/g, '');
    await closedBy(['policy-changed'], () => swap(without));
  });

  await step('by the end of a window', async () => {
    const end = new Date(Date.now() + 10_000).toISOString().replace(/\.\d+Z$/, 'Z');
    const timed = good.replaceAll(
      /(id: engineers-(?:drop|echo), allow: \w+, who: engineering)/g,
      `$1, until: ${end}`,
    );
    swap(timed);
    await allowed();
    await closedBy(['no-longer-allowed'], () => {});
  });

  await step('by the revocation of the person', async () => {
    swap(good);
    await allowed();
    await closedBy(['session-ended', 'revoked'], async () => {
      const revoke = ['revoke', 'person', 'ada@example.com', '--config', 'gateway.yaml'];
      const { code, output } = await installation.sallyport(...revoke);
      assert.equal(code, 0, output);
    });
  });
});
