// One gateway on its own file becomes one of several on Redis by configuration and one command: who is signed in stays
// signed in, and connectors stay enrolled.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { ask, REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

test('an embedded state moves to Redis, and back-ups bring it back', {
  skip: requires(...REDIS_NEEDS),
  timeout: 240_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t);
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  const ada = await fleet.signIn('ada');
  const locked = await gateway.command('state', 'backup', '--out', 'state.backup');
  assert.equal(locked.code, 1, 'its file has one owner');
  const early = await gateway.command('state', 'migrate');
  assert.match(early.output, /change `state` to `kind: redis` first/);

  await gateway.part.stop();
  const file = join(gateway.directory, 'gateway.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('state: ./state', `state: ${onServer(port)}`));
  // Killed half-way: nobody starts on that, or takes it for a back-up, and it is run again.
  const many = openEmbeddedStore(join(gateway.directory, 'state'), Date.now);
  for (let i = 0; i < 800; i += 1) await many.put('door', `door-${i}`, { session: 's', host: 'h' });
  await many.close();
  const half = fleet.run('migrate-half', gateway.directory, [
    ...['state', 'migrate', '--config', 'gateway.yaml'],
  ]);
  await until('doors are copied', async () => Number(await ask(port, 'ZCARD', 'sallyport:{door}')) > 0);
  await half.kill();
  const started = await gateway.command('gateway');
  assert.equal(started.code, 1);
  assert.match(started.output, /not whole: `sallyport state migrate` has not come to its end/);
  const partial = await gateway.command('state', 'backup', '--out', 'half.backup');
  assert.match(partial.output, /not whole/);
  // What that left there, and what ended since, is not taken up.
  const fewer = openEmbeddedStore(join(gateway.directory, 'state'), Date.now);
  for (let i = 0; i < 800; i += 1) await fewer.remove('door', `door-${i}`);
  await fewer.close();
  const moved = await gateway.command('state', 'migrate');
  assert.equal(moved.code, 0, moved.output);
  assert.equal(await ask(port, 'ZCARD', 'sallyport:{door}'), 2, 'ada’s, at the portal and at the app');
  const again = await gateway.command('state', 'migrate');
  assert.match(again.output, /1 sessions and 1 connectors in Redis already/);
  await gateway.start();
  await until('the app, through the connector that was enrolled before', async () => {
    return (await gateway.app(ada.cookie)).status === 200;
  });

  const drill = await gateway.command('drill', 'state', '--seconds', '6', '--json');
  assert.equal(drill.code, 0, drill.output);
  assert.match(JSON.parse(drill.output).ailments[0], /the shared state has not answered for \d s/);
  assert.equal((await gateway.ready()).ready, true);

  const saved = await gateway.command('state', 'backup', '--out', 'state.backup');
  assert.equal(saved.code, 0, saved.output);
  assert.equal(await gateway.revoke('session', ada.id), 200);
  assert.equal((await gateway.app(ada.cookie)).status, 401);
  const restored = await gateway.command('state', 'restore', '--in', 'state.backup');
  assert.equal(restored.code, 0, restored.output);
  assert.equal((await gateway.app(ada.cookie)).status, 200);
});
