// Which connector of several gets a request: one that is healthy, with the fewest streams, then the quickest; and the
// same one for a session that sticks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { IGNORE } from '#connectors/wire/stream';
import { Route } from '#gateway/tunnel/route';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { ask, type Bed, bed } from './bed.ts';
import { answers, names, ok, unreachable } from './stand-ins.ts';

test('choice: among idle connectors the one that has answered quickest', async (t) => {
  const { port, connect, results } = await bed(t, ok, { connectors: 0 });
  const slow = await connect('slow');
  await connect('quick');
  // The bed breaks ties for the first. Its answer waits on the way until long after the other's could have come.
  slow.line.hold(true);
  const first = ask(port, { path: '/' });
  await sleep(400);
  slow.line.hold(false);
  await first;
  for (let i = 0; i < 5; i += 1) await ask(port, { path: '/' });
  const order = results.map(({ connector }) => connector);
  assert.deepEqual(order, ['slow', 'quick', 'quick', 'quick', 'quick', 'quick']);
});

test('choice: a connector that was slow once is asked again after a while', async (t) => {
  let now = 0;
  const { port, connect, results } = await bed(t, ok, { connectors: 0, clock: () => now });
  await connect('slow', (stream) => {
    now += 800;
    return answers(stream);
  });
  await connect('quick', (stream) => {
    now += 10;
    return answers(stream);
  });
  for (let i = 0; i < 5; i += 1) await ask(port, { path: '/' });
  const before = results.map(({ connector }) => connector);
  assert.deepEqual(before, ['slow', 'quick', 'quick', 'quick', 'quick']);
  now += 600_000;
  await ask(port, { path: '/' });
  now += 600_000;
  await ask(port, { path: '/' });
  assert.ok(
    results.slice(5).some(({ connector }) => connector === 'slow'),
    'what was long ago is forgotten',
  );
});

test('choice: a connector with a stream under way gives way to one without, and a lost one to any', async (t) => {
  const held: Stream[] = [];
  const { port, connect, results } = await bed(t, ok, { connectors: 0 });
  const busy = await connect('busy', (stream) => {
    held.push(stream);
    return IGNORE;
  });
  const first = ask(port, { path: '/', method: 'POST' });
  while (held.length === 0) await new Promise(setImmediate);
  const free = await connect('free');
  for (let i = 0; i < 5; i += 1) await ask(port, { path: '/' });
  assert.deepEqual([...new Set(results.map(({ connector }) => connector))], ['free']);
  assert.equal(held.length, 1);
  free.line.cut('killed');
  busy.line.cut('killed');
  assert.equal((await first).status, 502);
  assert.equal((await ask(port, { path: '/' })).body, 'no-connector');
});

test('choice: streams count for a connector, however many tunnels they are on', async (t) => {
  const held: Stream[] = [];
  const serve = (stream: Stream): StreamHandler => {
    held.push(stream);
    return IGNORE;
  };
  const one = await bed(t, ok, { connectors: 0 });
  await one.connect('many', serve);
  await one.connect('many', serve);
  await one.connect('few', serve);
  const under = Array.from({ length: 8 }, () => ask(one.port, { path: '/' }));
  while (held.length < 8) await new Promise(setImmediate);
  const streams = Object.groupBy(one.tunnels.connectors(), ({ connector }) => connector);
  const counts = Object.values(streams).map((tunnels) =>
    tunnels?.reduce((sum, tunnel) => sum + tunnel.streams, 0),
  );
  assert.deepEqual(counts, [4, 4]);
  for (const stream of held) stream.head(200, '', ['Content-Length', '0'], true);
  await Promise.all(under);
});

test('choice: of one connector the tunnel that sends in this turn anyway takes more along, up to a measure', () => {
  const tunnel = (streams: number, pending: boolean): Tunnel =>
    ({
      relay: false,
      session: { ready: true, silent: false, streams, batch: { pending } },
    }) as unknown as Tunnel;
  const chosen = (...tunnels: Tunnel[]): number => {
    const route = new Route('one', 'run', Date.now);
    for (const one of tunnels) route.add(one);
    return tunnels.indexOf(route.tunnel([]) as Tunnel);
  };
  assert.equal(chosen(tunnel(3, false), tunnel(2, false)), 1, 'the one with fewer streams');
  assert.equal(chosen(tunnel(0, false), tunnel(5, true)), 1, 'the one that sends');
  assert.equal(chosen(tunnel(5, true), tunnel(0, false)), 0, 'in whatever order');
  assert.equal(chosen(tunnel(0, false), tunnel(40, true)), 0, 'not when it is much busier');
  assert.equal(chosen(tunnel(3, true), tunnel(2, true)), 1, 'both send');
});

test('choice: a connector that does not reach its app is left alone, and tried with a request that can be sent again', async (t) => {
  let now = 1;
  const one = await bed(t, ok, { connectors: 0, clock: () => now });
  const state = { broken: true, asked: 0 };
  await one.connect('broken', unreachable(state));
  await one.connect('whole', answers);
  for (let i = 0; i < 10; i += 1) assert.equal((await ask(one.port, { path: '/' })).status, 200);
  assert.equal(state.asked, 1, 'once was enough');
  assert.deepEqual(
    one.tunnels.connectors().map(({ connector, failing }) => [connector, failing]),
    [
      ['broken', ['app']],
      ['whole', []],
    ],
  );
  now += 1_000;
  assert.equal((await ask(one.port, { path: '/', method: 'POST', body: 'x' })).status, 200);
  assert.equal(state.asked, 1, 'not tried with what cannot be sent again');
  assert.equal((await ask(one.port, { path: '/' })).status, 200);
  assert.equal(state.asked, 2, 'tried again');
  now += 1_000;
  await ask(one.port, { path: '/' });
  assert.equal(state.asked, 2, 'the second rest is longer');
  state.broken = false;
  now += 1_000;
  await ask(one.port, { path: '/' });
  await ask(one.port, { path: '/' });
  assert.ok(state.asked > 2);
  assert.deepEqual(
    one.tunnels.connectors().flatMap(({ failing }) => failing),
    [],
  );
});

test('choice: when none reaches the app they are asked all the same', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  const states = [
    { broken: true, asked: 0 },
    { broken: true, asked: 0 },
  ];
  for (const [index, state] of states.entries()) await one.connect(`c${index}`, unreachable(state));
  for (let i = 0; i < 3; i += 1) assert.equal((await ask(one.port, { path: '/' })).body, 'app-unreachable');
  assert.equal(
    states.reduce((sum, { asked }) => sum + asked, 0),
    6,
  );
});

test('choice: a request that lost its tunnel goes to another connector before another tunnel of the same', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  const lines: { cut(why: string): void }[] = [];
  const dies = (stream: Stream): StreamHandler => {
    for (const line of lines) line.cut('killed');
    void stream;
    return IGNORE;
  };
  // More tunnels than attempts: if they were tried one after the other, the request would fail.
  for (let i = 0; i < 4; i += 1) lines.push((await one.connect('doomed', dies)).line);
  await one.connect('stays', answers);
  assert.equal((await ask(one.port, { path: '/' })).status, 200);
  assert.deepEqual(names(one), ['stays']);
});

test('choice: a tunnel that owes an answer to a ping is avoided', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  const dumb = await one.connect('dumb', answers);
  await one.connect('fine', answers);
  dumb.line.hold(true);
  // Ten seconds to the ping, and more than the doubt after it.
  for (let second = 0; second < 13; second += 1) {
    one.tunnels.tick();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  for (let i = 0; i < 4; i += 1) await ask(one.port, { path: '/' });
  assert.deepEqual([...new Set(names(one))], ['fine']);
  dumb.line.hold(false);
});

test('choice: a tunnel whose certificate was revoked ends at the next tick, and no other does', async (t) => {
  const struck = new Set<string>();
  const one = await bed(t, ok, { connectors: 0, revoked: (serial) => struck.has(serial) });
  for (const name of ['struck', 'stays']) await one.connect(name, answers);
  const there = (): string[] => one.tunnels.connectors().map(({ connector }) => connector);
  one.tunnels.tick();
  assert.deepEqual(there(), ['struck', 'stays']);
  struck.add(Buffer.from('struck').toString('hex'));
  one.tunnels.tick();
  for (let i = 0; i < 4; i += 1) assert.equal((await ask(one.port, { path: '/' })).status, 200);
  assert.deepEqual([...new Set(names(one))], ['stays']);
  assert.deepEqual(there(), ['stays']);
});

test('sticky: a session stays with its connector, and sessions are spread', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  for (const name of ['a', 'b', 'c']) await one.connect(name, answers);
  const given = new Map<string, string | undefined>();
  for (let session = 0; session < 60; session += 1) {
    one.options = { stick: `session-${session}` };
    await ask(one.port, { path: '/' });
    given.set(`session-${session}`, names(one).at(-1));
  }
  const spread = Object.groupBy(given.values(), (name) => name ?? '');
  assert.ok(
    ['a', 'b', 'c'].every((name) => (spread[name]?.length ?? 0) >= 8),
    `spread: ${Object.values(spread).map((list) => list?.length)}`,
  );
  // Another connector joins: nobody moves.
  await one.connect('d', answers);
  for (const [session, name] of given) {
    one.options = { stick: session };
    await ask(one.port, { path: '/', method: 'POST', body: 'x' });
    assert.equal(names(one).at(-1), name);
  }
});

test('sticky: a session whose connector is lost or fails moves, and stays where it went', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  const states = new Map(['a', 'b'].map((name) => [name, { broken: false, asked: 0 }]));
  const made = new Map<string, Awaited<ReturnType<Bed['connect']>>>();
  for (const [name, state] of states) made.set(name, await one.connect(name, unreachable(state)));
  one.options = { stick: 'ada' };
  const send = async (): Promise<string | undefined> => {
    assert.equal((await ask(one.port, { path: '/' })).status, 200);
    return names(one).at(-1);
  };
  const home = (await send()) ?? '';
  const other = home === 'a' ? 'b' : 'a';
  assert.equal(await send(), home);
  (states.get(home) as { broken: boolean }).broken = true;
  assert.equal(await send(), other, 'it fell over');
  (states.get(home) as { broken: boolean }).broken = false;
  assert.equal(await send(), other, 'and stays: the other is healthy');
  made.get(other)?.line.cut('killed');
  assert.equal(await send(), home);
});

test('sticky: a connector that reaches its app again gets sessions again, and is found out by what can be sent again', async (t) => {
  let now = 1;
  const one = await bed(t, ok, { connectors: 0, clock: () => now });
  const state = { broken: false, asked: 0 };
  await one.connect('back', unreachable(state));
  await one.connect('other', answers);
  const send = async (session: string, method = 'GET'): Promise<string | undefined> => {
    one.options = { stick: session };
    assert.equal((await ask(one.port, { path: '/', method })).status, 200);
    return names(one).at(-1);
  };
  const sessions = Array.from({ length: 40 }, (_, index) => `session-${index}`);
  const home = new Map<string, string | undefined>();
  for (const session of sessions) home.set(session, await send(session));
  const [theirs, mine] = ['other', 'back'].map((name) => sessions.filter((one) => home.get(one) === name));
  assert.ok(theirs !== undefined && mine !== undefined && mine.length >= 8, `${mine?.length}`);
  const [mover = '', first = '', ...others] = mine;

  state.broken = true;
  assert.equal(await send(mover), 'other', 'it moves');
  const asked = state.asked;
  assert.equal(await send('new-1'), 'other', 'while it rests it is not asked');
  now += 1_000;
  for (const session of theirs) assert.equal(await send(session), 'other');
  assert.equal(state.asked, asked, 'nobody who is at home elsewhere is used to try it');
  assert.equal(await send(first, 'POST'), 'other', 'nor what cannot be sent again');
  assert.equal(state.asked, asked);
  state.broken = false;
  for (const session of others) assert.equal(await send(session), 'back', 'at home again');
  assert.equal(await send(mover), 'other', 'who went stays');
  let joined = 0;
  for (let i = 0; i < 40; i += 1) if ((await send(`later-${i}`)) === 'back') joined += 1;
  assert.ok(joined >= 8, `of later sessions it gets its part: ${joined}`);
});
