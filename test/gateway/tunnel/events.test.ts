// How a tunnel is recorded: which one of its connector's came and went, and its end by a code of ours, whatever words a
// connector leaves with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, VERSIONS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import { IGNORE } from '#connectors/wire/stream';
import { tunnelEvents } from '#gateway/listeners';
import { Tunnels } from '#gateway/tunnel/tunnels';
import type { ConnectorConnected, ConnectorDisconnected } from '#siem/connector-event';
import { Mapper } from '#siem/ecs/mapper';
import type { SallyportEvent } from '#siem/event';
import type { Recorder } from '#siem/recorder';
import { pair } from '#test/connectors/wire/pair';
import { quiet } from '../../siem/sinks/contract.ts';

for (const [code, reason, recorded] of [
  ['protocol', 'the peer says: revoked', 'protocol'],
  ['refused', 'the peer says: certificate-revoked', 'refused'],
  ['silent', 'nothing heard for 8 s after a ping', 'silent'],
  ['going-away', 'drained', 'going-away'],
  ['refused', 'certificate-revoked', 'certificate-revoked'],
] as const) {
  test(`${code}, "${reason}": ${recorded}`, () => {
    const events: SallyportEvent[] = [];
    const recorder = { record: async (event: SallyportEvent) => void events.push(event) };
    const { onDisconnect } = tunnelEvents(recorder as unknown as Recorder, quiet, () => 2_000);
    const status = { connector: 'rack-1', address: '192.0.2.1', connectedAt: 1_000, streams: 0 };
    onDisconnect(status as Parameters<typeof onDisconnect>[0], reason, code, 0);
    const [event] = events as [ConnectorDisconnected];
    const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' });
    const document = mapper.document(event, 'id', 2_000);
    assert.deepEqual([document.event['code'], document.event['reason']], [recorded, reason]);
  });
}

test('both ends of a tunnel have its link, and its connector’s other tunnels another; it says what it runs', async (t) => {
  const events: (ConnectorConnected | ConnectorDisconnected)[] = [];
  const recorder = { record: async (event: never) => void events.push(event) };
  const told = tunnelEvents(recorder as unknown as Recorder, quiet, Date.now);
  const tunnels = new Tunnels({ now: Date.now, random: Math.random, ...told });
  t.after(() => tunnels.drain(0));
  const apps = ['wiki'];
  const hello = { versions: VERSIONS, window: 65_536, streams: 8, apps, instance: 'i' };
  for (let i = 0; i < 2; i += 1) {
    const [line, far] = pair();
    tunnels.carry(far, { connector: 'rack-1', apps: new Set(apps), address: '192.0.2.1', serial: '01' });
    const up = Promise.withResolvers<void>();
    new Session({
      ...{ transport: line, limits: DEFAULT_LIMITS, budget: { held: 0 }, clock: () => performance.now() },
      greeting: { hello: { ...hello, software: 'sallyport/0.1.0' } },
      onReady: () => up.resolve(),
      onOpen: () => IGNORE,
      onGoaway: () => undefined,
      onClose: () => undefined,
    });
    await up.promise;
  }
  assert.equal(tunnels.disconnect('rack-1', 'revoked'), 2);
  const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' });
  const seen = events.map((event) => {
    const { connector } = mapper.document(event, 'id', 2_000)['sallyport'] as {
      connector: Record<string, string>;
    };
    return [event.kind, connector['link'], connector['version']];
  });
  const [one, two] = seen.map(([, link]) => link);
  assert.notEqual(one, two);
  assert.deepEqual(seen, [
    ['connector-connected', one, '0.1.0'],
    ['connector-connected', two, '0.1.0'],
    ['connector-disconnected', one, undefined],
    ['connector-disconnected', two, undefined],
  ]);
});

for (const [what, goodbye, code] of [
  ['stops in order and has not come to an end in its grace', true, 'going-away'],
  ['breaks', false, 'silent'],
] as const) {
  test(`the end of a tunnel whose connector ${what} says how many streams it took along`, async (t) => {
    const ends: unknown[] = [];
    const gone = Promise.withResolvers<void>();
    const tunnels = new Tunnels({
      ...{ now: Date.now, random: Math.random, onConnect: () => undefined },
      onDisconnect: (_info, _reason, as, lost) => {
        ends.push([as, lost]);
        gone.resolve();
      },
    });
    t.after(() => tunnels.drain(0));
    const [line, far] = pair();
    tunnels.carry(far, { connector: 'rack-1', apps: new Set(['db']), address: '192.0.2.1', serial: '01' });
    const up = Promise.withResolvers<void>();
    const session = new Session({
      ...{ transport: line, limits: DEFAULT_LIMITS, budget: { held: 0 }, clock: () => performance.now() },
      greeting: {
        hello: { versions: VERSIONS, window: 65_536, streams: 8, apps: ['db'], instance: 'i', software: 's' },
      },
      onReady: () => up.resolve(),
      onOpen: () => IGNORE,
      onGoaway: () => undefined,
      onClose: () => undefined,
    });
    await up.promise;
    const relays = [0, 1].map(() => tunnels.connect('db', () => Promise.reject(new Error('not yet'))));
    while (session.streams < 2) await new Promise(setImmediate);
    if (goodbye) {
      session.goAway();
      session.end('going-away', 'the connector stops');
    } else line.cut('killed');
    for (const { done } of relays) assert.equal((await done).failure, 'connector-lost');
    await gone.promise;
    assert.deepEqual(ends, [[code, 2]]);
  });
}
