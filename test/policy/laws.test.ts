// Laws that hold between policies, whatever they say: order, monotony, splitting, shadow; and that a remedy helps.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ruleCovers } from '#policy/analyse/cover';
import { lint, rulesHit } from '#policy/analyse/lint';
import { probesOf } from '#policy/analyse/probes';
import type { Remedy } from '#policy/decision';
import { formatProblems } from '#policy/document';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';
import { policies } from './generate/policies.ts';
import { type Choices, choices, requestFor } from './generate/requests.ts';
import { many, type WrittenPolicy, type WrittenRule } from './reference/written.ts';

const RUNS = 150;
const seed = Number(process.env['SALLYPORT_SEED'] ?? 7);

function load(written: WrittenPolicy): Policy {
  const loading = loadPolicy(JSON.stringify(written), 'law.json');
  assert.ok(loading.ok, loading.ok ? '' : formatProblems(loading.problems));
  return loading.policy;
}

function decide(policy: Policy, request: AccessRequest): { verdict: 'allow' | 'deny'; rule?: string } {
  const { verdict, rule } = policy.decide(request, policy.prepare(request.subject));
  return { verdict, ...(rule === undefined ? {} : { rule: rule.id }) };
}

/** Compares two policies made of one document on requests aimed at it; the law gets both verdicts. */
function law(
  name: string,
  change: (written: WrittenPolicy) => WrittenPolicy,
  check: (before: { verdict: string; rule?: string }, after: { verdict: string; rule?: string }) => void,
): void {
  test(name, () => {
    fc.assert(
      fc.property(policies, fc.array(choices, { minLength: 30, maxLength: 30 }), (written, all) => {
        const [before, after] = [load(written), load(change(written))];
        for (const choice of all) {
          const request = requestFor(written, choice);
          check(decide(before, request), decide(after, request));
        }
      }),
      { numRuns: RUNS, seed },
    );
  });
}

const enforced = (rule: WrittenRule): boolean => rule.mode !== 'shadow';

law(
  'the order of rules, alternatives and group members never matters',
  (written) => ({
    ...written,
    rules: written.rules
      .toReversed()
      .map((rule) => ({ ...rule, ...(rule.when && { when: many(rule.when).toReversed() }) })),
    groups: Object.fromEntries(
      Object.entries(written.groups ?? {}).map(([name, { members }]) => [
        name,
        { members: members.toReversed() },
      ]),
    ),
  }),
  (before, after) => assert.deepEqual(after, before),
);

law(
  'taking a deny rule away only adds',
  (written) => ({
    ...written,
    rules: without(written.rules, (rule) => rule.deny !== undefined && enforced(rule)),
  }),
  (before, after) => assert.ok(before.verdict === 'deny' || after.verdict === 'allow'),
);

law(
  'taking an allow rule away only removes',
  (written) => ({
    ...written,
    rules: without(written.rules, (rule) => rule.allow !== undefined && enforced(rule)),
  }),
  (before, after) => assert.ok(before.verdict === 'allow' || after.verdict === 'deny'),
);

law(
  'alternatives are the same as so many rules',
  (written) => ({
    ...written,
    rules: written.rules.flatMap((rule) => {
      const alternatives = many(rule.when);
      if (alternatives.length < 2) return [rule];
      return alternatives.map((when, index) => ({ ...rule, id: `${rule.id}.${index}`, when }));
    }),
  }),
  (before, after) =>
    assert.deepEqual({ ...after, rule: after.rule?.split('.')[0] }, { rule: undefined, ...before }),
);

law(
  'shadow rules change nothing',
  (written) => ({ ...written, rules: written.rules.filter(enforced) }),
  (before, after) => assert.deepEqual(after, before),
);

function without(
  rules: readonly WrittenRule[],
  which: (rule: WrittenRule) => boolean,
): readonly WrittenRule[] {
  const index = rules.findIndex(which);
  return index < 0 ? rules : rules.toSpliced(index, 1);
}

test('removing a rule that lint calls shadowed, redundant or never firing changes no verdict', (context) => {
  let claims = 0;
  let probed = 0;
  fc.assert(
    fc.property(policies, fc.array(choices, { minLength: 20, maxLength: 20 }), (generated, all) => {
      const written = { ...generated, rules: [...generated.rules, ...narrower(generated.rules)] };
      const policy = load(written);
      for (const { rule, code } of lint(policy)) {
        claims += 1;
        const index = written.rules.findIndex(({ id }) => id === rule);
        const reduced = load({ ...written, rules: written.rules.toSpliced(index, 1) });
        for (const request of aimedAt(written, index, all, policy)) {
          probed += 1;
          assert.equal(decide(reduced, request).verdict, decide(policy, request).verdict, `${code} ${rule}`);
          if (code === 'never-fires') assert.ok(!rulesHit(policy, request).includes(rule), `${rule} fires`);
        }
      }
    }),
    { numRuns: RUNS, seed },
  );
  context.diagnostic(`probed ${claims} claims with ${probed} requests`);
  assert.ok(claims > 100, 'too few claims to mean anything');
});

test('a rule that covers another one matches whatever that one matches', () => {
  let covers = 0;
  fc.assert(
    fc.property(policies, fc.array(choices, { minLength: 20, maxLength: 20 }), (generated, all) => {
      const written = { ...generated, rules: [...generated.rules, ...narrower(generated.rules)] };
      const policy = load(written);
      const { rules } = policy.compiled;
      for (const inner of rules) {
        for (const outer of rules) {
          if (outer === inner || !ruleCovers(outer, inner)) continue;
          covers += 1;
          const index = written.rules.findIndex(({ id }) => id === inner.id);
          for (const request of aimedAt(written, index, all, policy)) {
            const hit = rulesHit(policy, request);
            const here = outer.apps.includes(request.target.app);
            assert.ok(
              !here || !hit.includes(inner.id) || hit.includes(outer.id),
              `${outer.id} over ${inner.id}`,
            );
          }
        }
      }
    }),
    { numRuns: RUNS / 2, seed },
  );
  assert.ok(covers > 100, 'too few coverings to mean anything');
});

/** Copies of rules that ask one thing more, so that there is something to find. */
function narrower(rules: readonly WrittenRule[]): WrittenRule[] {
  return rules.slice(0, 2).map((rule) => {
    const conditions = many(rule.when ?? {});
    return { ...rule, id: `${rule.id}n`, when: conditions.map((one) => ({ risk: 20, ...one })) };
  });
}

/** Requests at the edges of one rule, and at those of all. */
function* aimedAt(
  written: WrittenPolicy,
  rule: number,
  all: readonly Choices[],
  policy: Policy,
): Generator<AccessRequest> {
  for (const choice of all) yield requestFor(written, { ...choice, rule });
  let count = 0;
  for (const request of probesOf(policy)) {
    count += 1;
    if (count > 60) return;
    yield request;
  }
}

test('a remedy, once carried out, leads to an allow', (context) => {
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(policies, fc.array(choices, { minLength: 15, maxLength: 15 }), (written, all) => {
      const policy = load(written);
      for (const choice of all) {
        const request = requestFor(written, choice);
        const { decision, remedy } = policy.explain(request);
        kinds.set(remedy.kind, (kinds.get(remedy.kind) ?? 0) + 1);
        if (decision.verdict === 'allow') assert.equal(remedy.kind, 'none');
        // Membership in a group cannot be carried out here: which one is the admin's choice.
        if (remedy.kind === 'none' || isMembership(policy, request, remedy)) continue;
        const after = possibleOutcomes(request, remedy, written);
        assert.ok(
          after.some((one) => decide(policy, one).verdict === 'allow'),
          JSON.stringify({ remedy, request }),
        );
      }
    }),
    { numRuns: RUNS, seed },
  );
  context.diagnostic(`remedies: ${JSON.stringify(Object.fromEntries(kinds))}`);
  for (const kind of ['step-up', 'enrol-device', 'mend-connector', 'wait-until', 'request-access', 'none'])
    assert.ok(kinds.has(kind), kind);
});

/** Whether it takes more than approval: no allow rule with its \`who\` met is reached by approval alone. */
function isMembership(policy: Policy, request: AccessRequest, remedy: Remedy): boolean {
  if (remedy.kind !== 'request-access') return false;
  return (
    !policy.explain({ ...request, approved: true, ticket: 'open' }).entitled ||
    remedy.next !== undefined ||
    decide(policy, { ...request, approved: true, ticket: 'open' }).verdict === 'deny'
  );
}

/** What the request may look like after the remedy: a new login may be any that fits the words of the remedy. */
function possibleOutcomes(request: AccessRequest, remedy: Remedy, written: WrittenPolicy): AccessRequest[] {
  if (remedy.kind === 'none') return [request];
  const next = (changed: AccessRequest): AccessRequest[] =>
    remedy.next === undefined ? [changed] : possibleOutcomes(changed, remedy.next, written);
  const { at, login, device } = request;
  if (remedy.kind === 'wait-until') return next({ ...request, at: remedy.at });
  if (remedy.kind === 'request-access') return next({ ...request, approved: true, ticket: 'open' });
  const quoted = { attested: true, sameBoot: true, hardwareKey: true, quotedAt: at };
  const good = { secureBoot: true, baseline: true, firmware: '99' };
  if (remedy.kind === 'mend-device') return next({ ...request, device: { id: 'new', ...good, ...quoted } });
  if (remedy.kind === 'mend-connector') {
    return next({ ...request, connector: { name: 'new', ...good, ...quoted } });
  }
  if (remedy.kind === 'enrol-device') {
    return next({
      ...request,
      device: { id: 'new', ...good, ...device, ...quoted },
    });
  }
  const fresh = {
    provider: 'idp',
    ...login,
    at,
    mfaAt: at,
    ...(remedy.acr === undefined ? {} : { acr: remedy.acr }),
  };
  const methods = remedy.phishingResistant === true ? ['hwk'] : [undefined, 'otp', 'hwk', 'swk'];
  return methods.flatMap((method) =>
    next({
      ...request,
      login: method === undefined ? fresh : { ...fresh, amr: [...(login?.amr ?? []), method] },
    }),
  );
}
