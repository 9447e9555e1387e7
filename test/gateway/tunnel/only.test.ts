// A request that only some connectors may carry: no other gets it, nor another gateway's link, whatever else is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Serving } from '#gateway/tunnel/serving';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { ask, bed } from './bed.ts';
import { names, ok, unreachable } from './stand-ins.ts';

test('where only some connectors may carry a request no other does, whatever else is wrong with them', async (t) => {
  const one = await bed(t, ok, { connectors: 0 });
  const state = { broken: true, asked: 0 };
  const asked = { broken: false, asked: 0 };
  await one.connect('other', unreachable(asked));
  const good = await one.connect('good', unreachable(state));
  assert.deepEqual(
    one.tunnels.serving('app').map(({ name, key }) => `${name}: ${key}`),
    ['other: key of other', 'good: key of good'],
  );
  assert.deepEqual(one.tunnels.serving('nowhere'), []);
  one.options = { only: new Set(['key of good']) };
  // It fails, and is sent again: not to the other one.
  assert.equal((await ask(one.port, { path: '/' })).body, 'app-unreachable');
  state.broken = false;
  for (let i = 0; i < 5; i += 1) assert.equal((await ask(one.port, { path: '/' })).status, 200);
  one.options = { only: new Set(['key of good']), stick: 'session' };
  for (let i = 0; i < 5; i += 1) assert.equal((await ask(one.port, { path: '/' })).status, 200);
  assert.deepEqual([...new Set(names(one))], ['good']);
  good.line.cut('killed');
  assert.equal((await ask(one.port, { path: '/' })).body, 'no-connector');
  one.options = { only: new Set() };
  assert.equal((await ask(one.port, { path: '/' })).body, 'no-connector');
  assert.equal(asked.asked, 0);
  one.options = {};
  assert.equal((await ask(one.port, { path: '/' })).status, 200);
});

test('another gateway is no way for a request that only some connectors may carry', () => {
  const session = { ready: true, silent: false, streams: 0, batch: { pending: false } };
  const link = {
    peer: { connector: 'gateway/gw2', relay: true },
    ...{ connector: 'gateway/gw2', instance: 'run', relay: true, streams: 0 },
    session,
  } as unknown as Tunnel;
  const own = {
    peer: { connector: 'rack', key: 'k', address: '192.0.2.7' },
    ...{ connector: 'rack', instance: 'run', relay: false, streams: 0 },
    session,
  } as unknown as Tunnel;
  const serving = new Serving(
    () => 0,
    () => 0,
  );
  serving.add(link);
  const only = new Set(['k']);
  const wish = { tried: [], replayable: true };
  assert.equal(serving.choose(wish), link);
  for (const stick of [undefined, 'session'])
    assert.equal(serving.choose({ ...wish, only, stick }), undefined);
  assert.deepEqual(serving.peers, []);
  serving.add(own);
  assert.equal(serving.choose({ ...wish, only }), own);
  assert.equal(serving.choose({ ...wish, only: new Set(['another']) }), undefined);
  assert.deepEqual(serving.peers, [{ name: 'rack', key: 'k', address: '192.0.2.7' }]);
});
