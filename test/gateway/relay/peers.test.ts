// Gateways that find each other in the state they share, although their clocks differ.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Authority } from '#gateway/pki/issued';
import { Peers } from '#gateway/relay/peers';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Log } from '#siem/log';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { at, open } from '../state/redis-bed.ts';

test('a gateway is dialled while it says that it is there, whatever its clock says', {
  skip: requires(...REDIS_NEEDS),
}, async (t) => {
  const { port } = await redisServer(t);
  let passed = 0;
  const gateway = async (name: string, ahead: number) => {
    const now = (): number => Date.now() + ahead + passed;
    const store = await open(t, { server: at(port) }, { now });
    const tried: number[] = [];
    const peers = new Peers({
      ...{ store, now, name, trustDomain: 'example.com', address: 'https://127.0.0.1:1' },
      // Who dials another one needs a certificate for that first.
      authority: {
        issuePeer: async () => {
          tried.push(passed);
          throw new Error('none for a test');
        },
      } as unknown as Authority,
      log: { info: () => undefined, warn: () => undefined } as unknown as Log,
      clock: () => passed,
      offers: () => [{ app: 'wiki' }] as never,
      choose: () => undefined,
    });
    t.after(async () => {
      await peers.stop();
      await store.close();
    });
    return { peers, tried };
  };
  const [behind, ahead] = [await gateway('edge-1', 0), await gateway('edge-2', 45_000)];
  await behind.peers.look();
  await ahead.peers.look();
  await behind.peers.look();
  assert.deepEqual([behind.tried, ahead.tried], [[0], [0]]);
  passed = 9_000;
  await ahead.peers.look();
  assert.deepEqual(ahead.tried, [0, 9_000]);
  passed = 19_000;
  await ahead.peers.look();
  assert.deepEqual(ahead.tried, [0, 9_000], 'it has said nothing for ten seconds');
  await behind.peers.look();
  await ahead.peers.look();
  assert.deepEqual(ahead.tried, [0, 9_000, 19_000]);
});

test('another gateway that has this one’s name is warned of, but not this one before it was killed', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-peers-'));
  const store = openEmbeddedStore(directory, Date.now);
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  let passed = 0;
  const gateway = (name: string, port: number): { peers: Peers; logged: string[] } => {
    const logged: string[] = [];
    const peers = new Peers({
      ...{ store, name, trustDomain: 'example.com', address: `https://gw.example.com:${port}` },
      ...{ authority: undefined as never, now: () => Date.now() + passed, clock: () => passed },
      log: { warn: (_: object, text: string) => void logged.push(text) } as unknown as Log,
      offers: () => [],
      choose: () => undefined,
    });
    t.after(() => peers.stop());
    return { peers, logged };
  };
  const look = async (...all: readonly { peers: Peers }[]): Promise<void> => {
    for (const { peers } of all) await peers.look();
    passed += 2_000;
  };
  const killed = gateway('edge-1', 1);
  await look(killed);
  const [again, other] = [gateway('edge-1', 1), gateway('edge-2', 2)];
  for (let i = 0; i < 3; i += 1) await look(again, other);
  assert.deepEqual([again.peers.warnings, other.peers.warnings], [[], []]);
  const namesake = gateway('edge-1', 3);
  for (let i = 0; i < 3; i += 1) await look(again, other, namesake);
  assert.match(
    again.peers.warnings[0] ?? '',
    /gateway at https:\/\/gw\.example\.com:3 has the name of this one, edge-1/,
  );
  assert.match(namesake.peers.warnings[0] ?? '', /gw\.example\.com:1 has the name/);
  assert.deepEqual(other.peers.warnings, []);
  assert.deepEqual(again.logged, again.peers.warnings, 'and logged once');
  await namesake.peers.stop();
  await look(again);
  assert.deepEqual(again.peers.warnings, []);
});
