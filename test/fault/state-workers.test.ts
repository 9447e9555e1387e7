// One gateway that is two workers on one machine: people and connectors reach either, a worker that dies is started
// again without an unrecorded allow, and what is revoked is revoked at both.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { REDIS_NEEDS } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { eventsIn, faultsOf } from '#test/story/record';
import { Fleet } from './state/fleet.ts';
import { allowsOf, askAnew, outboxOf, pidOf, twoWorkers } from './state/workers.ts';

const skip = requires(...REDIS_NEEDS);

test('two workers serve as one gateway', { skip, timeout: 180_000 }, async (t) => {
  const { fleet, gateway } = await twoWorkers(t);
  const [ada, ben] = [await fleet.signIn('ada'), await fleet.signIn('ben')];

  // Connections are spread by the kernel; a worker without a tunnel has it from the other one.
  await until('both workers have served', async () => {
    assert.equal(await askAnew(fleet, gateway, ada.cookie), 200);
    return allowsOf(gateway, 1) > 2 && allowsOf(gateway, 2) > 2;
  });
  assert.deepEqual(await gateway.ready(), { ready: true, ailments: [], warnings: [] });
  assert.equal(await gateway.metric('sallyport_worker_up'), 2);
  const listed = await gateway.command('sessions', '--json');
  assert.equal(listed.output.trim().split('\n').length, 2, listed.output);

  const streams = await Promise.all(Array.from({ length: 8 }, () => gateway.stream(ada.cookie)));
  const kept = await gateway.stream(ben.cookie);
  const revoked = await gateway.command('revoke', 'session', ada.id);
  assert.equal(revoked.code, 0, revoked.output);
  await Promise.all(streams.map(({ ended }) => ended));
  for (let again = 0; again < 12; again += 1) assert.equal(await askAnew(fleet, gateway, ada.cookie), 401);
  assert.equal(await askAnew(fleet, gateway, ben.cookie), 200);
  kept.close();

  // A drill takes both: one of them alone would hide it.
  const { code } = await gateway.command('drill', 'state', '--seconds', '6', '--json');
  assert.equal(code, 0);
  assert.deepEqual((await gateway.ready()).ailments, []);

  const { code: exit } = await gateway.part.stop();
  assert.equal(exit, 0, gateway.part.output);
  for (const worker of [1, 2]) {
    assert.deepEqual(faultsOf(outboxOf(gateway, worker)), []);
    assert.equal(eventsIn(outboxOf(gateway, worker)).at(-1)?.event.action, 'gateway-stopped');
  }
});

test('a worker that is killed is started again, and nothing it allowed is unrecorded', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const { fleet, gateway } = await twoWorkers(t);
  const { cookie } = await fleet.signIn();
  const seen = { answered: 0, cut: 0, other: [] as number[] };
  let over = false;
  const before = fleet.reached.length;
  const load = Array.from({ length: 4 }, async () => {
    while (!over) {
      const status = await askAnew(fleet, gateway, cookie);
      if (status === 200) seen.answered += 1;
      else if (status === 0 || status === 502) seen.cut += 1;
      else seen.other.push(status);
    }
  });
  for (const victim of [1, 2, 1]) {
    const pid = await until('the worker is there', () => pidOf(gateway, victim));
    process.kill(pid, 'SIGKILL');
    await until('it was started again', () => {
      const now = pidOf(gateway, victim);
      return now !== undefined && now !== pid;
    });
    await until('both serve', async () => (await gateway.metric('sallyport_worker_up')) === 2);
  }
  over = true;
  await Promise.all(load);
  const reached = fleet.reached.length - before;
  const recorded = allowsOf(gateway, 1) + allowsOf(gateway, 2);
  t.diagnostic(`${seen.answered} answered, ${seen.cut} cut, ${reached} at the app, ${recorded} recorded`);
  assert.deepEqual(seen.other, []);
  assert.ok(seen.answered > 20, 'there was load');
  assert.ok(recorded >= reached, 'what reached the app is recorded');
  assert.equal(await gateway.metric('sallyport_worker_restarts_total'), 3);
  for (const worker of [1, 2]) assert.deepEqual(faultsOf(outboxOf(gateway, worker)), []);
});

test('workers that cannot outlive their supervisor end with it', { skip, timeout: 120_000 }, async (t) => {
  const { gateway } = await twoWorkers(t);
  const pids = [1, 2].map((worker) => pidOf(gateway, worker) ?? 0);
  assert.ok(pids.every((pid) => pid > 0));
  await gateway.part.kill();
  await until('they are gone', () => pids.every((pid) => !readdirSync('/proc').includes(String(pid))));
  await gateway.start();
  assert.equal((await gateway.ready()).ready, true);
});

test('several workers on an embedded state are refused with what to do', async (t) => {
  const fleet = await Fleet.start(t, { connectors: [] });
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  const { code, output } = await gateway.command('gateway', '--workers', '2', '--check');
  assert.equal(code, 2);
  assert.match(output, /2 workers need a state that processes can share.*`kind: redis`/);
  const none = await gateway.command('gateway', '--workers', 'many');
  assert.match(none.output, /--workers: expected 1 to 64/);
});
