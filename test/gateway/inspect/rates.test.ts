// Rates that policy sets: who is counted with whom, when one more passes, and that a count that fails is a deny.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ruling, Rulings } from '#gateway/access/ruling';
import { Ways } from '#gateway/access/ways';
import type { LiveSession } from '#gateway/identity/live-session';
import { Rates } from '#gateway/inspect/rates';
import { Counts } from '#gateway/state/counts';
import type { Obligations, RateKey } from '#policy/decision';
import type { AccessRequest } from '#policy/input';
import { loadPolicy } from '#policy/load';

let time = 1_000_000;

function rates(): Rates {
  const counts = new Counts(() => time);
  return new Rates({ admit: async (...asked) => counts.admit(...asked) }, () => time);
}

const allowed = (rate: Obligations['rate'], rule = 'r'): Ruling => ({
  policy: 'hash',
  decision: {
    verdict: 'allow',
    reason: 'allowed',
    rule: { id: rule },
    obligations: rate === undefined ? {} : { rate },
  },
});

const asked = (
  change: { user?: string; device?: string; app?: string; path?: string; address?: string } = {},
): AccessRequest => ({
  version: 1,
  at: time,
  subject: { kind: 'user', id: change.user ?? 'ada', groups: [], roles: [] },
  ...(change.device === undefined ? {} : { device: { id: change.device } }),
  target: { app: change.app ?? 'wiki', protocol: 'http', method: 'GET', path: change.path ?? '/' },
  network: { address: change.address ?? '192.0.2.1' },
});

describe('a rate is kept', () => {
  test('to the request, and begins anew when its time is over', async () => {
    const kept = rates();
    const ruling = allowed({ requests: 3, per: 60_000 });
    for (let i = 0; i < 3; i += 1) assert.equal(await kept.keep(ruling, asked()), ruling);
    time += 20_000;
    const { decision, explanation, policy } = await kept.keep(ruling, asked());
    assert.deepEqual(decision, { verdict: 'deny', reason: 'rate-limited', rule: { id: 'r' } });
    assert.equal(policy, 'hash');
    assert.deepEqual(explanation?.remedy, { kind: 'wait-until', at: time + 40_000 });
    assert.equal(explanation?.nearest[0]?.unmet[0]?.need, 'at most 3 in 60 s for each user');
    time += 40_000;
    assert.equal(await kept.keep(ruling, asked()), ruling);
  });

  test('in any period, not only from the first request on, and refusals do not make it longer', async () => {
    const kept = rates();
    const ruling = allowed({ requests: 100, per: 60_000 });
    const ask = async (times: number): Promise<number> => {
      let passed = 0;
      for (let i = 0; i < times; i += 1) if ((await kept.keep(ruling, asked())) === ruling) passed += 1;
      return passed;
    };
    assert.equal(await ask(1), 1);
    time += 59_000;
    assert.equal(await ask(150), 99, 'at the end of the first minute');
    time += 1_000;
    assert.equal(await ask(150), 1, 'at the beginning of the next');
    time += 58_000;
    assert.equal(await ask(150), 0);
    const { explanation, retryAfter } = await kept.keep(ruling, asked());
    assert.deepEqual(explanation?.remedy, { kind: 'wait-until', at: time + 1_000 });
    assert.equal(retryAfter, 1);
    assert.equal(explanation?.nearest[0]?.unmet[0]?.have, '101');
    time += 1_000;
    assert.equal(await ask(150), 99);
  });

  test('of a rule alone: another one counts for itself', async () => {
    const kept = rates();
    await kept.keep(allowed({ requests: 1, per: 1000 }, 'one'), asked());
    assert.equal(
      (await kept.keep(allowed({ requests: 1, per: 1000 }, 'two'), asked())).decision.verdict,
      'allow',
    );
    assert.equal(
      (await kept.keep(allowed({ requests: 1, per: 1000 }, 'one'), asked())).decision.verdict,
      'deny',
    );
  });
});

describe('what is counted together', () => {
  const cases: [
    by: RateKey[] | undefined,
    same: Parameters<typeof asked>[0],
    other: Parameters<typeof asked>[0],
  ][] = [
    [undefined, { address: '192.0.2.9', path: '/x' }, { user: 'ben' }],
    [['user'], { address: '192.0.2.9' }, { user: 'ben' }],
    [['device'], { user: 'ben' }, { device: 'laptop' }],
    [['app'], { user: 'ben', address: '192.0.2.9' }, { app: 'vault' }],
    [['route'], { user: 'ben' }, { path: '/x' }],
    [['address'], { user: 'ben' }, { address: '192.0.2.9' }],
    [['address'], { user: 'ben' }, { address: '2001:db8::1' }],
    [['user', 'route'], { address: '192.0.2.9' }, { path: '/x' }],
    [['user', 'route'], { device: 'laptop' }, { user: 'ben' }],
  ];
  for (const [by, same, other] of cases) {
    test(`by ${by ?? 'user'}: ${JSON.stringify(same)} with the first, ${JSON.stringify(other)} not`, async () => {
      const kept = rates();
      const ruling = allowed({ requests: 1, per: 1000, ...(by === undefined ? {} : { by }) });
      await kept.keep(ruling, asked());
      assert.equal((await kept.keep(ruling, asked(same))).decision.verdict, 'deny');
      assert.equal((await kept.keep(ruling, asked(other))).decision.verdict, 'allow');
    });
  }
});

test('a store that fails is a deny', async () => {
  const kept = new Rates({ admit: () => Promise.reject(new Error('gone')) }, () => time);
  const { decision } = await kept.keep(allowed({ requests: 9, per: 1000 }), asked());
  assert.deepEqual(decision, { verdict: 'deny', reason: 'error' });
});

test('a deny, and an allow without a rate, are not counted', async () => {
  const kept = new Rates({ admit: () => assert.fail('counted') }, () => time);
  const deny: Ruling = { policy: '', decision: { verdict: 'deny', reason: 'denied-by-rule' } };
  assert.equal(await kept.keep(deny, asked()), deny);
  const plain = allowed(undefined);
  assert.equal(await kept.keep(plain, asked()), plain);
});

describe('of several rules with a rate', () => {
  /** Asks as one person or another, at an app with these rules; whose rule let it through, or when to come again. */
  function askedOf(rules: string): (user?: string) => Promise<string> {
    const loaded = loadPolicy(`version: 1\napps: [wiki]\nrules:\n${rules}`, 'policy.yaml');
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const ways = new Ways(new Rulings(() => loaded.policy), { serving: () => [] }, {} as never);
    const kept = rates();
    return async (user = 'ada') => {
      const input = asked({ user });
      const session = { id: user, subject: input.subject } as unknown as LiveSession;
      const first = await ways.rule(session, input);
      const { ruling } = await kept.kept(first, (spent) => ways.without(spent, session, input));
      const { decision, retryAfter } = ruling;
      assert.equal(decision.verdict === 'allow', ruling.explanation === undefined);
      return decision.verdict === 'allow' ? (decision.rule?.id ?? '') : `${decision.reason} ${retryAfter}`;
    };
  }
  const line = (id: string, limit: string, by: string): string =>
    `  - { id: ${id}, allow: wiki, who: everyone, rate: { limit: ${limit}, by: [${by}] } }\n`;

  test('one that others have used up takes nothing away from who is counted alone', async () => {
    const own = line('own', '2/1m', 'user');
    const alone = askedOf(own);
    assert.deepEqual(
      [await alone('ben'), await alone('ben'), await alone('ben')],
      ['own', 'own', 'rate-limited 60'],
    );
    const both = askedOf(own + line('all', '3/1m', 'app'));
    for (let i = 0; i < 3; i += 1) assert.equal(await both('ada'), 'all');
    assert.deepEqual([await both('ben'), await both('ben')], ['own', 'own']);
    assert.equal(await both('ben'), 'rate-limited 60');
    assert.equal(await both('ada'), 'own');
  });

  test('of the same count one that gives no more than another gives nothing beside it', async () => {
    const both = askedOf(line('few', '2/1m', 'user, app') + line('many', '3/1m', 'app, user'));
    for (let i = 0; i < 3; i += 1) assert.equal(await both(), 'many');
    assert.equal(await both(), 'rate-limited 60');
  });

  test('a burst that one allows stays allowed beside one that is faster on the whole', async () => {
    const both = askedOf(line('steady', '1/1m', 'user') + line('burst', '3/1h', 'user'));
    assert.deepEqual(
      [await both(), await both(), await both(), await both()],
      ['steady', 'burst', 'burst', 'burst'],
    );
    assert.equal(await both(), 'rate-limited 60', 'the one that is over soonest');
  });

  test('what such a rule asks beside its rate is asked of whoever comes by it', async () => {
    const reading = line('reading', '5/1h', 'app').replace('rate:', 'readOnly: true, rate:');
    const both = askedOf(line('one', '1/1m', 'user') + reading);
    assert.deepEqual([await both(), await both()], ['one', 'reading']);
  });
});
