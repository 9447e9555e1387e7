// Rates that policy sets: who is counted with whom, when one more passes, and that a count that fails is a deny.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ruling } from '#gateway/access/ruling';
import { Rates } from '#gateway/inspect/rates';
import { Counts } from '#gateway/state/counts';
import type { Obligations, RateKey } from '#policy/decision';
import type { AccessRequest } from '#policy/input';

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
