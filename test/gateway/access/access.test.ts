// Rulings fail closed, obligations are carried out, and what is open is decided again.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Rulings } from '#gateway/access/ruling';
import { type Machines, OpenExchanges, type ReviewReason } from '#gateway/access/streams';
import type { LiveSession } from '#gateway/identity/live-session';
import type { AccessRequest } from '#policy/input';
import type { Policy } from '#policy/load';
import { loadPolicy } from '#policy/load';

const AT = Date.parse('2026-03-04T10:00:00Z');
const session = (over: Partial<LiveSession> = {}): LiveSession => ({
  id: 's1',
  subject: { kind: 'user', id: 'https://id#1', groups: ['corp:eng'], roles: [] },
  login: { provider: 'corp', at: AT - 60_000, mfaAt: AT - 60_000, amr: ['pwd', 'otp'] },
  createdAt: AT - 60_000,
  expiresAt: AT + 3_600_000,
  lastSeenAt: AT,
  clientAddress: '192.0.2.1',
  ...over,
});

function input(who: LiveSession, method = 'GET', at = AT): AccessRequest {
  return {
    version: 1,
    at,
    subject: who.subject,
    login: who.login,
    target: { app: 'wiki', protocol: 'http', method, path: '/' },
    network: { address: '192.0.2.1', country: 'private' },
  };
}

function policy(rule: string): Policy {
  const text = `version: 1\nzone: UTC\napps: [wiki]\ngroups: { eng: { members: ["corp:eng"] } }\nhours: { early: { days: mon-sun, from: "09:00", to: "10:01" } }\nrules:\n  - { id: r1, allow: wiki, who: eng${rule} }\n`;
  const loaded = loadPolicy(text, 'policy.yaml');
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.policy;
}

describe('a ruling', () => {
  test('allows what policy allows', () => {
    const ruling = new Rulings(() => policy('')).rule(session(), input(session()));
    assert.equal(ruling.decision.verdict, 'allow');
    assert.equal(ruling.explanation, undefined);
  });

  test('of a policy that throws, or is not there, is a deny', () => {
    const throwing = {
      hash: 'x',
      prepare: () => {
        throw new Error('broken');
      },
    } as unknown as Policy;
    for (const source of [() => throwing, () => undefined as unknown as Policy]) {
      const ruling = new Rulings(source).rule(session(), input(session()));
      assert.equal(ruling.decision.verdict, 'deny');
      assert.equal(ruling.decision.reason, 'error');
      assert.equal(ruling.explanation?.entitled, false);
      assert.equal(new Rulings(source).judge(session(), input(session())).decision.verdict, 'deny');
    }
  });

  test('follows a policy that was swapped, for the same session', () => {
    let current = policy('');
    const rulings = new Rulings(() => current);
    assert.equal(rulings.rule(session(), input(session())).decision.verdict, 'allow');
    current = policy(', methods: [POST]');
    assert.equal(rulings.rule(session(), input(session())).decision.verdict, 'deny');
  });

  const obligations: [name: string, rule: string, who: LiveSession, method: string, reason: string][] = [
    ['step-up with an old factor', ', stepUp: { mfa: 30s }', session(), 'GET', 'step-up-required'],
    ['step-up with a fresh factor', ', stepUp: { mfa: 5m }', session(), 'GET', 'allowed'],
    [
      'phishing-resistant with an OTP',
      ', stepUp: { phishingResistant: true }',
      session(),
      'GET',
      'step-up-required',
    ],
    ['read-only, reading', ', readOnly: true', session(), 'GET', 'allowed'],
    ['read-only, writing', ', readOnly: true', session(), 'POST', 'read-only'],
    ['a session that may be older', ', maxSession: 5m', session(), 'GET', 'allowed'],
    ['a session that is too old', ', maxSession: 30s', session(), 'GET', 'session-too-old'],
    ['an obligation not carried out here', ', redact: cards', session(), 'GET', 'obligation-unsupported'],
  ];
  for (const [name, rule, who, method, reason] of obligations) {
    test(name, () => {
      const { decision, explanation } = new Rulings(() => policy(rule)).rule(who, input(who, method));
      assert.equal(decision.reason, reason);
      assert.equal(decision.verdict, reason === 'allowed' ? 'allow' : 'deny');
      if (reason === 'step-up-required') assert.equal(explanation?.remedy.kind, 'step-up');
      const judged = new Rulings(() => policy(rule)).judge(who, input(who, method));
      assert.deepEqual([judged.decision, judged.explanation], [decision, undefined]);
    });
  }
});

describe('what is open', () => {
  function opened(rulings: Rulings, alive: () => Promise<boolean>, now: () => number) {
    const open = new OpenExchanges(rulings, alive, now, async () => ({}));
    const closed: string[] = [];
    const who = session();
    open.add({ session: who, input: input(who), close: (reason) => closed.push(reason) });
    return { open, closed };
  }

  test('is closed when its time window ends', async () => {
    let time = AT;
    const current = policy(', when: { hours: early }');
    const { open, closed } = opened(
      new Rulings(() => current),
      async () => true,
      () => time,
    );
    await open.review('no-longer-allowed');
    assert.deepEqual(closed, []);
    time = AT + 61_000;
    await open.review('no-longer-allowed');
    assert.deepEqual(closed, ['no-longer-allowed']);
    assert.equal(open.size, 0);
  });

  test('is closed when the machine of its connector is no longer as asked, and says that it is that', async () => {
    const rule = ', when: { connector: { attested: true }, device: { attested: true } }';
    const rulings = new Rulings(() => policy(rule));
    let machines: Machines = {};
    const closed: string[] = [];
    const who = session();
    const review = async (found: Machines, reason: ReviewReason = 'posture-changed'): Promise<string[]> => {
      machines = found;
      const open = new OpenExchanges(
        rulings,
        async () => true,
        () => AT,
        async () => machines,
      );
      closed.length = 0;
      open.add({ session: who, input: input(who), close: (why) => closed.push(why) });
      await open.review(reason);
      return [...closed];
    };
    const device = { id: 'd', attested: true };
    const connector = { name: 'rack-1', device: 'm', attested: true };
    assert.deepEqual(await review({ device, connector }), []);
    const unwell = { ...connector, attested: false };
    assert.deepEqual(await review({ device, connector: unwell }), ['connector-posture-changed']);
    assert.deepEqual(await review({ device, connector: { name: 'rack-1' } }), ['connector-posture-changed']);
    assert.deepEqual(await review({ device }, 'no-longer-allowed'), ['connector-posture-changed']);
    assert.deepEqual(await review({ device }, 'policy-changed'), ['policy-changed']);
    assert.deepEqual(await review({ device: { id: 'd', attested: false }, connector }), ['posture-changed']);
  });

  test('is closed when a new policy does not allow it', async () => {
    let current = policy('');
    const { open, closed } = opened(
      new Rulings(() => current),
      async () => true,
      () => AT,
    );
    current = policy(', methods: [POST]');
    await open.review('policy-changed');
    assert.deepEqual(closed, ['policy-changed']);
  });

  test('is closed without an explanation for each: a thousand may end in one moment', async (t) => {
    const current = policy(', methods: [POST]');
    const explain = t.mock.method(current, 'explain');
    for (const reason of ['policy-changed', 'no-longer-allowed'] as const) {
      const { open, closed } = opened(
        new Rulings(() => current),
        async () => true,
        () => AT,
      );
      await open.review(reason);
      assert.deepEqual(closed, [reason]);
    }
    assert.equal(explain.mock.callCount(), 0);
  });

  test('what is revoked is closed, whatever policy says', async () => {
    const { open, closed } = opened(
      new Rulings(
        () => policy(''),
        () => true,
      ),
      async () => true,
      () => AT,
    );
    await open.review('policy-changed');
    assert.deepEqual(closed, ['revoked']);
  });

  test('is closed as undecided while it is not known what was revoked', async () => {
    const unknown = (): boolean => {
      throw new Error('not known');
    };
    const { open, closed } = opened(
      new Rulings(() => policy(''), unknown),
      async () => true,
      () => AT,
    );
    await open.review('policy-changed');
    assert.deepEqual(closed, ['not-decided']);
  });

  test('is closed as undecided where it hangs on a machine of which nothing can be found out', async () => {
    for (const [rule, reasons] of [
      [', when: { device: { attested: true } }', ['not-decided']],
      ['', []],
    ] as const) {
      const current = policy(rule);
      const open = new OpenExchanges(
        new Rulings(() => current),
        async () => true,
        () => AT,
        async () => Promise.reject(new Error('store down')),
      );
      const who = session();
      const closed: string[] = [];
      const device = { id: 'd', attested: true };
      open.add({ session: who, input: { ...input(who), device }, close: (reason) => closed.push(reason) });
      await open.review('no-longer-allowed');
      assert.deepEqual(closed, reasons);
    }
  });

  test('is closed although what must be known of others is long in coming', async () => {
    const closed: string[] = [];
    const never = new Promise<Machines>(() => {});
    const current = policy(', methods: [POST]');
    const open = new OpenExchanges(
      new Rulings(() => current),
      async () => true,
      () => AT,
      ({ input: { device } }) => (device === undefined ? Promise.resolve({}) : never),
    );
    const who = session();
    const device = { id: 'd' };
    open.add({ session: who, input: { ...input(who), device }, close: () => closed.push('slow') });
    // More than are looked at in one turn.
    const many = 2_000;
    for (let i = 0; i < many; i += 1) {
      open.add({ session: who, input: input(who), close: () => closed.push('known') });
    }
    void open.review('policy-changed');
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([closed.length, new Set(closed)], [many, new Set(['known'])]);
  });

  test('is told since when it is not allowed, however long the review takes', async () => {
    let time = AT;
    const rulings = new Rulings(() => policy(''));
    const slow = async (): Promise<boolean> => {
      time += 100;
      return false;
    };
    const open = new OpenExchanges(
      rulings,
      slow,
      () => time,
      async () => ({}),
    );
    const since: (number | undefined)[] = [];
    for (const who of [session(), session()]) {
      open.add({ session: who, input: input(who), close: (_reason, at) => since.push(at) });
    }
    await open.review('no-longer-allowed');
    assert.deepEqual(since, [AT, AT]);
  });

  test('is closed with its session, at once and once', async () => {
    const current = policy('');
    const { open, closed } = opened(
      new Rulings(() => current),
      async () => true,
      () => AT,
    );
    assert.equal(open.endSession('another'), 0);
    assert.equal(open.endSession('s1'), 1);
    assert.equal(open.endSession('s1'), 0);
    assert.deepEqual(closed, ['session-ended']);
  });

  test('is closed when its session is gone or cannot be found out', async () => {
    const current = policy('');
    for (const [alive, reason] of [
      [async () => false, 'session-ended'],
      [() => Promise.reject(new Error('store down')), 'not-decided'],
    ] as const) {
      const { open, closed } = opened(new Rulings(() => current), alive, () => AT);
      await open.review('no-longer-allowed');
      assert.deepEqual(closed, [reason]);
    }
  });
});
