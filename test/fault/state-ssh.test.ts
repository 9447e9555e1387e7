// Keys for SSH certificates turn while somebody is away: a worker, the process that signs, or a whole gateway. Whoever
// comes back signs with the keys that are then published, and with none that was lost.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AdminReply, callAdmin } from '#bin/admin-client';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { eventsIn } from '#test/story/record';
import { stepsOf } from '#test/story/steps';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';
import type { FleetGateway } from './state/fleet-gateway.ts';
import { keyFiles, Terminal, withShell } from './state/ssh.ts';
import { outboxOf, pidOf, twoWorkers } from './state/workers.ts';

const skip = requires(...REDIS_NEEDS);
const HOUR = 3_600_000;

function rotate(gateway: FleetGateway, wish: object): Promise<AdminReply> {
  return callAdmin(join(gateway.directory, 'state'), 'POST', '/v1/ssh-authority/rotate', wish);
}

/** Children of a process whose command line has `what`. */
function childOf(pid: number, what: string): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(what));
}

test('keys turn while a worker is away', { skip, timeout: 240_000 }, async (t) => {
  const { fleet, gateway } = await twoWorkers(t, { prepare: withShell });
  const step = stepsOf(t);
  const terminal = await Terminal.open(fleet);
  const filesOf = (worker: number): string[] => keyFiles(join(gateway.directory, `state/worker-${worker}`));
  const published = async (): Promise<string[]> => [...(await terminal.published(gateway)).values()].flat();
  /** The keys of both workers, once each has signed; every certificate was signed by one that is published. */
  const signers = async (): Promise<Set<string>> => {
    const seen = new Set<string>();
    await until('both have signed', async () => {
      const key = await terminal.signedBy(gateway);
      // Who cannot sign says so.
      if (key.startsWith('503 ')) return false;
      assert.ok((await published()).includes(key), `not published: ${key}`);
      return seen.add(key).size === 2;
    });
    return seen;
  };
  const killed = async (worker: number): Promise<void> => {
    const pid = await until('the worker is there', () => pidOf(gateway, worker));
    process.kill(pid, 'SIGKILL');
    await until('it is gone', async () => (await gateway.metric('sallyport_worker_up')) === 1);
  };
  const bothServe = (): Promise<unknown> =>
    until('both serve', async () => (await gateway.metric('sallyport_worker_up')) === 2);
  const first = await signers();

  await step('the next key is made and published by the one that was away, and told of', async () => {
    await killed(2);
    const { status, body } = await rotate(gateway, { lead: HOUR });
    assert.deepEqual([status, body['gateway'], body['away']], [200, 'gateway-0', [2]]);
    await bothServe();
    assert.deepEqual([filesOf(1).length, filesOf(2).length], [2, 2]);
    assert.equal((await published()).length, 4);
    assert.deepEqual(await signers(), first, 'the next ones do not sign yet');
    const told = (await gateway.command('ca', 'ssh-public-key', '--json')).output;
    const keys = JSON.parse(told).keys as { readonly worker: number }[];
    assert.deepEqual(
      keys.map(({ worker }) => worker),
      [1, 1, 2, 2],
    );
    const again = await gateway.command('ca', 'ssh-rotate', '--after', '0');
    assert.match(again.output, /published already/, 'one is enough for both');
  });

  await step(
    'what was lost is trusted no more at once, and signs nothing at the one that was away',
    async () => {
      await killed(2);
      const { status, body } = await rotate(gateway, { compromised: true });
      assert.deepEqual([status, body['away']], [200, [2]]);
      assert.equal((await published()).length, 1, 'also those of the one that is away');
      await bothServe();
      const now = await signers();
      assert.equal(now.size, 2);
      for (const key of first) assert.ok(!now.has(key));
      assert.deepEqual((await published()).sort(), [...now].sort());
      assert.deepEqual(filesOf(1), filesOf(2));
      assert.equal(filesOf(2).length, 1);
      const changes = eventsIn(outboxOf(gateway, 2))
        .filter(({ event }) => event.action === 'authority-changed')
        .map(({ event }) => event.code);
      // The second request that was refused was asked of it, too.
      assert.deepEqual(
        changes.filter((code) => code === 'issuing').length,
        2,
        'it has them in its own record',
      );
    },
  );

  await step('one whose signing process is gone signs nothing before it has the new keys', async () => {
    const before = await signers();
    const issuer = childOf(pidOf(gateway, 1) ?? 0, 'issuer-process');
    process.kill(issuer ?? 0, 'SIGKILL');
    const { status, body } = await rotate(gateway, { compromised: true });
    assert.equal(status, 503);
    assert.match(String(body['message']), /gateway-0-1 signs nothing until it could make/);
    const after = await signers();
    for (const key of before) assert.ok(!after.has(key));
    assert.equal((await published()).length, 2);
  });

  await step('a drill, which would prove nothing of the other one, waits for both', async () => {
    await killed(1);
    const refused = await gateway.command('drill', 'clock', '--seconds', '1');
    assert.equal(refused.code, 1);
    assert.match(refused.output, /worker 1 is not there/);
    await bothServe();
    assert.equal((await gateway.command('drill', 'clock', '--seconds', '1')).code, 0);
  });
});

test('keys of a gateway that is away are lost, and those of the other one stay', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, {
    ...{ gateways: 2, connectors: [0], prepare: withShell },
    state: () => onServer(port),
  });
  const [here, there] = fleet.gateways;
  assert.ok(here !== undefined && there !== undefined);
  const terminal = await Terminal.open(fleet);
  const before = await terminal.published(here);
  const names = ['gateway-0', 'gateway-1'];
  assert.deepEqual([...before.keys()].sort(), names);
  const unknown = await here.command('ca', 'ssh-rotate', '--gateway', 'gateway-7');
  assert.match(unknown.output, /no gateway gateway-7 has keys.*gateway-0, gateway-1|gateway-1, gateway-0/);

  await there.part.kill();
  const lost = await here.command('ca', 'ssh-rotate', '--gateway', 'gateway-1', '--compromised');
  assert.match(lost.output, /at gateway-1; .*\n.*when it is there again/);
  assert.deepEqual(
    [...(await terminal.published(here))],
    [...before].filter(([name]) => name === 'gateway-0'),
  );

  await there.start();
  const after = await terminal.published(here);
  assert.deepEqual([...after.keys()].sort(), names);
  assert.notDeepEqual(after.get('gateway-1'), before.get('gateway-1'));
  assert.equal(await terminal.signedBy(there), after.get('gateway-1')?.[0]);
  assert.equal(await terminal.signedBy(here), before.get('gateway-0')?.[0]);

  // While it runs it hears of it by itself.
  assert.equal((await rotate(here, { gateway: 'gateway-1', compromised: true })).status, 200);
  assert.notEqual(await terminal.signedBy(there), after.get('gateway-1')?.[0]);
  await until('it has published its key', async () => (await terminal.published(here)).has('gateway-1'));
});
