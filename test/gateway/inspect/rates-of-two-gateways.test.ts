// Rates over two gateways that share Redis, each as a policy says it: whom it counts together, and whom it leaves alone,
// whichever gateway they ask.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { Rulings } from '#gateway/access/ruling';
import type { LiveSession } from '#gateway/identity/live-session';
import { Rates } from '#gateway/inspect/rates';
import { Strangers } from '#gateway/inspect/strangers';
import { openStore } from '#gateway/state/open';
import type { Store } from '#gateway/state/store';
import type { RateKey } from '#policy/decision';
import type { AccessRequest } from '#policy/input';
import { loadPolicy } from '#policy/load';
import { elapse, REDIS_NEEDS, type RedisServer, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';

const LIMIT = 4;
const MINUTE = 60_000;
const skip = requires(...REDIS_NEEDS);

/** The stores of two gateways of one installation. */
async function twoStores(
  t: TestContext,
): Promise<{ readonly stores: readonly [Store, Store]; readonly redis: RedisServer }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-rates-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'secret');
  writeFileSync(file, 'a secret of more than thirty-two characters\n', { mode: 0o600 });
  const server = await redisServer({ after: (step) => t.after(step) });
  const open = async (): Promise<Store> => {
    const redis = { database: 0, prefix: 'sallyport', server: { host: '127.0.0.1', port: server.port } };
    const store = await openStore({ kind: 'redis', directory, secret: { file }, redis }, Date.now);
    t.after(() => store.close());
    return store;
  };
  return { stores: [await open(), await open()], redis: server };
}

interface Asker {
  readonly user: string;
  readonly device: string;
  readonly app: string;
  readonly path: string;
  readonly address: string;
}

const ADA: Asker = { user: 'ada', device: 'laptop', app: 'wiki', path: '/a', address: '192.0.2.1' };
/** Somebody who differs in everything else, and in the one thing alone. */
const OTHER: Asker = { user: 'ben', device: 'phone', app: 'vault', path: '/b', address: '192.0.2.2' };

const KEYS: readonly (readonly [key: RateKey, same: Partial<Asker>])[] = [
  ['user', { user: ADA.user }],
  ['device', { device: ADA.device }],
  ['app', { app: ADA.app }],
  // A route is an app's: both stay.
  ['route', { app: ADA.app, path: ADA.path }],
  ['address', { address: ADA.address }],
];

function policyOf(by: RateKey): string {
  return `version: 1
zone: UTC
apps: [wiki, vault]
rules:
  - { id: all, allow: [wiki, vault], who: everyone, rate: { limit: ${LIMIT}/1h, by: [${by}] } }
`;
}

interface Answer {
  readonly verdict: string;
  readonly retryAfter: number | undefined;
}

/** The answer of a gateway with that policy: 'allow', or why not. */
function gatewayOn(store: Store, text: string): (asker: Asker) => Promise<string> {
  const ask = answersOf(store, text);
  return async (asker) => {
    const { verdict, retryAfter } = await ask(asker);
    if (verdict === 'rate-limited') assert.ok((retryAfter ?? 0) > 3500, String(retryAfter));
    return verdict;
  };
}

function answersOf(store: Store, text: string): (asker: Asker) => Promise<Answer> {
  const loaded = loadPolicy(text, 'policy.yaml');
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const rulings = new Rulings(() => loaded.policy);
  const rates = new Rates(store, Date.now);
  return async ({ user, device, app, path, address }) => {
    const subject = { kind: 'user', id: user, groups: [], roles: [] } as const;
    const session = { id: user, subject, login: { provider: 'p', at: 0 } } as unknown as LiveSession;
    const input: AccessRequest = {
      ...{ version: 1, at: Date.now(), subject, device: { id: device } },
      target: { app, protocol: 'http', method: 'GET', path },
      network: { address },
    };
    const { decision, retryAfter } = await rates.keep(rulings.rule(session, input), input);
    return { verdict: decision.verdict === 'allow' ? 'allow' : decision.reason, retryAfter };
  };
}

test('a rate in a policy is one rate over two gateways', { skip }, async (t) => {
  const { stores, redis } = await twoStores(t);
  const [store, another] = stores;
  for (const [by, same] of KEYS) {
    await t.test(`by ${by}`, async () => {
      const [one, two] = [gatewayOn(store, policyOf(by)), gatewayOn(another, policyOf(by))];
      for (let i = 0; i < LIMIT / 2; i += 1) {
        assert.deepEqual([await one(ADA), await two({ ...OTHER, ...same })], ['allow', 'allow']);
      }
      assert.deepEqual([await one(ADA), await two({ ...OTHER, ...same })], Array(2).fill('rate-limited'));
      assert.deepEqual([await one(OTHER), await two(OTHER)], ['allow', 'allow'], 'others are left alone');
    });
  }

  await t.test('asked at both at once, exactly so many pass', async () => {
    const text = policyOf('user');
    const gateways = [gatewayOn(store, text), gatewayOn(another, text)];
    const cleo = { ...ADA, user: 'cleo' };
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => gateways[i % 2]?.(cleo)));
    assert.equal(answers.filter((answer) => answer === 'allow').length, LIMIT);
  });

  await t.test('a network of IPv6 is one address, at both', async () => {
    const text = policyOf('address');
    const gateways = [gatewayOn(store, text), gatewayOn(another, text)];
    const answers: (string | undefined)[] = [];
    for (let i = 1; i <= LIMIT * 2; i += 1) {
      answers.push(await gateways[i % 2]?.({ ...ADA, address: `2001:db8:0:7:${i}::${i}` }));
    }
    assert.deepEqual(answers, [...Array(LIMIT).fill('allow'), ...Array(LIMIT).fill('rate-limited')]);
    assert.equal(await gateways[0]?.({ ...ADA, address: '2001:db8:0:8::1' }), 'allow');
  });

  await t.test('in no hour more pass, wherever it begins, and who waits as told passes', async (t) => {
    const text = policyOf('user');
    const gateways = [answersOf(store, text), answersOf(another, text)];
    const dora = { ...ADA, user: 'dora' };
    const clock = new Redis({ port: redis.port });
    t.after(() => clock.disconnect());
    /** How many of twenty pass, and how long the others are told to wait, in minutes. */
    const askAll = async (): Promise<[passed: number, wait: number]> => {
      const all = Array.from({ length: 20 }, (_, i) => gateways[i % 2]?.(dora));
      const refused = (await Promise.all(all)).filter((one) => one?.verdict === 'rate-limited');
      const waits = refused.map((one) => one?.retryAfter ?? 0);
      return [20 - refused.length, Math.round(Math.max(...waits) / 60)];
    };
    assert.equal((await gateways[0]?.(dora))?.verdict, 'allow');
    await elapse(clock, 59 * MINUTE);
    assert.deepEqual(await askAll(), [LIMIT - 1, 1], 'at the end of the first hour');
    await elapse(clock, 1 * MINUTE);
    assert.deepEqual(await askAll(), [1, 59], 'at the beginning of the next');
    await elapse(clock, 58 * MINUTE);
    assert.deepEqual(await askAll(), [0, 1]);
    await elapse(clock, 1 * MINUTE);
    assert.deepEqual(await askAll(), [LIMIT - 1, 1]);
  });

  await t.test('without the store nothing that has a rate is allowed, and with it all goes on', async () => {
    const text = policyOf('user');
    const gateways = [gatewayOn(store, text), gatewayOn(another, text)];
    const emil = { ...ADA, user: 'emil' };
    const both = (): Promise<string[]> => Promise.all(gateways.map((gateway) => gateway(emil)));
    assert.deepEqual(await both(), ['allow', 'allow']);
    await redis.part.kill();
    assert.deepEqual(await both(), ['error', 'error']);
    await redisServer({ after: (step) => t.after(step) }, { port: redis.port });
    await until('the stores are back', async () => (await both()).every((answer) => answer !== 'error'));
  });
});

test('what strangers begin is counted over two gateways', { skip }, async (t) => {
  const { stores } = await twoStores(t);
  const gateways = stores.map(
    (store) =>
      new Strangers({
        ...{ store, limits: { perAddress: LIMIT, together: 1000 }, now: Date.now },
        recorder: { record: async () => '' },
        metrics: { refused: () => {} },
        behind: () => false,
      }),
  );
  t.after(() => gateways.forEach((one) => void one.stop()));
  const came: string[] = [];
  for (let i = 0; i < LIMIT * 2; i += 1) {
    const begun = gateways[i % 2]?.admit('sign-in', { address: '192.0.2.1' });
    came.push(
      await Promise.resolve(begun).then(
        () => 'begun',
        (error) => error.code,
      ),
    );
  }
  assert.deepEqual(came, [...Array(LIMIT).fill('begun'), ...Array(LIMIT).fill('too-many')]);
});
