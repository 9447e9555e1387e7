// Gateways that find each other in the state they share, although their clocks differ.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authority } from '#gateway/pki/issued';
import { Peers } from '#gateway/relay/peers';
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
