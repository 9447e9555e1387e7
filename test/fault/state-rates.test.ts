// A rate over two gateways on one Redis, as whoever lies in wait for its hour to end meets it: whichever gateway is asked,
// the app never sees more in an hour than the policy says, and who waits as told is let through.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { elapse, REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { onServer, POLICY } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

const MINUTE = 60_000;
const LIMITED = POLICY.replace('who: staff }', 'who: staff, rate: 6/1h }');

test('a rate holds in any hour, at two gateways', {
  skip: requires(...REDIS_NEEDS),
  timeout: 120_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const prepare = (directory: string): void => writeFileSync(join(directory, 'policy.yaml'), LIMITED);
  const fleet = await Fleet.start(t, { gateways: 2, state: () => onServer(port), prepare });
  const clock = new Redis({ port });
  clock.on('error', () => undefined);
  t.after(() => clock.disconnect());
  // Whose first request is the one that ends the sign-in.
  const { cookie } = await fleet.signIn('ada');
  assert.equal(fleet.reached.length, 1);
  /** Asks both gateways at once, eight times each; how many were let through. */
  const askBoth = async (): Promise<number> => {
    const before = fleet.reached.length;
    const asked = fleet.gateways.flatMap((one) => Array.from({ length: 8 }, () => one.app(cookie)));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.deepEqual(
      statuses.filter((status) => status !== 200 && status !== 429),
      [],
    );
    const passed = statuses.filter((status) => status === 200).length;
    assert.equal(fleet.reached.length - before, passed, 'the app saw what was let through');
    return passed;
  };

  await elapse(clock, 59 * MINUTE);
  assert.equal(await askBoth(), 5, 'up to the limit');
  await elapse(clock, MINUTE);
  assert.equal(await askBoth(), 1, 'only the first was an hour ago');
  for (let i = 0; i < 5; i += 1) {
    await elapse(clock, 10 * MINUTE);
    assert.equal(await askBoth(), 0, 'asking on lets nobody in earlier');
  }
  await elapse(clock, 9 * MINUTE);
  assert.equal(await askBoth(), 5, 'nor keeps anybody out for longer');
  assert.equal(fleet.reached.length, 12);
});
