// Two gateways, each with a connector of its own for the same app: people are served as if both were at one gateway.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { decodeHello, encodeHello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, MAX_WAYS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import type { SessionOptions } from '#connectors/wire/session-options';
import { IGNORE } from '#connectors/wire/stream';
import { helloOf, opener } from '#gateway/relay/offered';
import type { Offer, TunnelPeer } from '#gateway/tunnel/relay';
import { pair } from '#test/connectors/wire/pair';
import { ask, type Bed, bed } from '../tunnel/bed.ts';
import { answers, ok, unreachable } from '../tunnel/stand-ins.ts';

/** What `from` has tunnels for is offered to `to`, until what is returned is called. */
async function link(
  from: Bed,
  to: Bed,
  offers: readonly Offer[] = from.tunnels.offers,
  serves: TunnelPeer['serves'] = () => true,
): Promise<() => void> {
  const [line, far] = pair();
  to.tunnels.carry(far, {
    ...{ connector: 'gateway/other', relay: true, address: '127.0.0.2', serial: '01' },
    ...{ apps: new Set(['app']), serves },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  const session = new Session({
    ...{ transport: line, limits: DEFAULT_LIMITS, budget: { held: 0 }, clock: () => performance.now() },
    greeting: { hello: helloOf(offers, 'run of the other') },
    onReady: () => resolve(),
    onOpen: opener(offers, (offer) => from.tunnels.own(offer)),
    onGoaway: () => undefined,
    onClose: () => undefined,
  });
  await promise;
  return () => session.end('going-away', 'over');
}

/** Counts what it is asked. */
function counting(serve: NonNullable<SessionOptions['onOpen']> = answers as never) {
  const self = { asked: 0, serve };
  self.serve = (stream, request, fin) => {
    self.asked += 1;
    return serve(stream, request, fin);
  };
  return self;
}

async function twoGateways(t: TestContext, clock = () => 0) {
  const [here, there] = [
    await bed(t, ok, { connectors: 0, clock }),
    await bed(t, ok, { connectors: 0, clock }),
  ];
  return { here, there };
}

const post = (one: Bed): Promise<number> =>
  ask(one.port, { path: '/', method: 'POST', body: 'x' }).then(({ status }) => status);
const get = (one: Bed): Promise<number> => ask(one.port, { path: '/' }).then(({ status }) => status);

test('a connector that does not reach its app is left alone for one at another gateway', async (t) => {
  let now = 1;
  const { here, there } = await twoGateways(t, () => now);
  const state = { broken: true, asked: 0 };
  // As many tunnels as a request is tried on.
  for (let i = 0; i < 3; i += 1) await here.connect('broken', unreachable(state));
  const whole = counting();
  await there.connect('whole', whole.serve);
  await link(there, here);
  for (let i = 0; i < 5; i += 1) assert.equal(await get(here), 200);
  for (let i = 0; i < 5; i += 1) assert.equal(await post(here), 200);
  assert.equal(state.asked, 1, 'once was enough');
  assert.equal(whole.asked, 10);
  state.broken = false;
  now += 2_000;
  assert.equal(await get(here), 200);
  assert.equal(await post(here), 200);
  assert.deepEqual([state.asked, whole.asked], [3, 10], 'its own connector is nearer');
});

test('of several connectors at another gateway the healthy one is asked', async (t) => {
  const { here, there } = await twoGateways(t);
  const state = { broken: true, asked: 0 };
  await there.connect('broken', unreachable(state));
  await there.connect('whole', answers);
  await link(there, here);
  for (let i = 0; i < 5; i += 1) assert.equal(await get(here), 200);
  for (let i = 0; i < 5; i += 1) assert.equal(await post(here), 200);
  assert.equal(state.asked, 1);
});

test('a connector that may not serve the app by the configuration here does not through another gateway', async (t) => {
  const { here, there } = await twoGateways(t);
  const [old, kept] = [counting(), counting()];
  await there.connect('old', old.serve);
  const end = await link(there, here, undefined, (app, name) => app === 'app' && name === 'kept');
  assert.equal((await ask(here.port, { path: '/' })).body, 'no-connector');
  await there.connect('kept', kept.serve);
  await link(there, here, undefined, (app, name) => app === 'app' && name === 'kept');
  end();
  for (let i = 0; i < 5; i += 1) assert.equal(await post(here), 200);
  assert.deepEqual([old.asked, kept.asked], [0, 5]);
});

test('a session that sticks has the same connector at each gateway', async (t) => {
  const { here, there } = await twoGateways(t);
  const [near, far] = [counting(), counting()];
  await here.connect('rack-1', near.serve);
  await there.connect('rack-2', far.serve);
  await link(there, here);
  await link(here, there);
  const homes = new Set<number>();
  for (let i = 0; i < 20; i += 1) {
    const before = near.asked;
    for (const one of [here, there]) {
      one.options = { stick: `session ${i}` };
      assert.equal(await get(one), 200);
      assert.equal(await post(one), 200);
    }
    homes.add(near.asked - before);
  }
  assert.deepEqual(
    [...homes].toSorted((a, b) => a - b),
    [0, 4],
    'all of a session, or nothing',
  );
});

test('a connector that another gateway has lost is asked no more before that says so', async (t) => {
  const { here, there } = await twoGateways(t);
  const gone = await there.connect('gone', answers);
  const kept = counting();
  await there.connect('kept', kept.serve);
  await link(there, here);
  gone.line.cut('gone');
  assert.ok([200, 502].includes(await post(here)));
  const before = kept.asked;
  for (let i = 0; i < 5; i += 1) assert.equal(await post(here), 200);
  assert.equal(kept.asked - before, 5);
});

test('streams of several connectors on one link are counted apart', async (t) => {
  const { here, there } = await twoGateways(t);
  const held = counting(() => IGNORE);
  const quick = counting();
  await there.connect('held', held.serve);
  await there.connect('quick', quick.serve);
  await link(there, here);
  const waiting = ask(here.port, { path: '/', method: 'POST', body: 'x' }).catch(() => undefined);
  while (held.asked + quick.asked === 0) await new Promise(setImmediate);
  for (let i = 0; i < 5; i += 1) assert.equal(await get(here), 200);
  assert.deepEqual([held.asked, quick.asked], [1, 5], 'whoever has one under way is not asked again');
  here.gateway.closeAllConnections();
  await waiting;
});

test('a gateway that does not name its connectors is a way to the app all the same', async (t) => {
  const { here, there } = await twoGateways(t);
  await there.connect('one', answers);
  const end = await link(there, here, [{ app: 'app', certificate: undefined }]);
  here.options = { stick: 'session' };
  assert.equal(await get(here), 200);
  assert.equal(await post(here), 200);
  end();
  assert.equal((await ask(here.port, { path: '/' })).body, 'no-connector');
});

test('more connectors than a hello may name are not named', () => {
  const by = (index: number): Offer => ({
    ...{ app: 'app', certificate: undefined },
    by: { connector: `rack-${index}`, instance: '6f5f1f0c-9f0e-4c2a-8e52-8f0b7c6a5d43' },
  });
  const offers = [{ app: 'app', certificate: undefined }];
  const few = decodeHello(encodeHello(helloOf([...offers, by(1), by(2)], 'run')));
  assert.deepEqual(
    few.ways?.map(({ connector }) => connector),
    ['rack-1', 'rack-2'],
  );
  const many = Array.from({ length: MAX_WAYS + 1 }, (_, index) => by(index));
  const hello = decodeHello(encodeHello(helloOf([...offers, ...many], 'run')));
  assert.deepEqual([hello.apps, hello.ways], [['app'], undefined]);
});

test('a connector names no ways: what it says of others is passed over', async (t) => {
  const { here } = await twoGateways(t);
  const [line, far] = pair();
  here.tunnels.carry(far, {
    connector: 'rack-1',
    apps: new Set(['app']),
    address: '127.0.0.1',
    serial: '01',
  });
  const way = { app: 'app', connector: 'rack-2', instance: 'run' };
  const { promise, resolve } = Promise.withResolvers<void>();
  new Session({
    ...{ transport: line, limits: DEFAULT_LIMITS, budget: { held: 0 }, clock: () => performance.now() },
    greeting: { hello: { ...helloOf([{ app: 'app', certificate: undefined }], 'run'), ways: [way] } },
    onReady: () => resolve(),
    onOpen: answers as never,
    onGoaway: () => undefined,
    onClose: () => undefined,
  });
  await promise;
  assert.equal(await get(here), 200);
  assert.deepEqual(
    here.tunnels.connectors().map(({ connector }) => connector),
    ['rack-1'],
  );
});
