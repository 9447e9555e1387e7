// The evaluator against the reference, on generated policies and requests at their edges.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblems } from '#policy/document';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';
import { policies } from './generate/policies.ts';
import { choices, requestFor } from './generate/requests.ts';
import { decideByReference, type ReferenceDecision } from './reference/evaluate.ts';
import type { WrittenPolicy } from './reference/written.ts';

/** Raise with SALLYPORT_POLICY_RUNS for a longer run; `SALLYPORT_SEED` repeats one. */
const POLICIES = Number(process.env['SALLYPORT_POLICY_RUNS'] ?? 2200);
const REQUESTS = 50;
const seed = Number(process.env['SALLYPORT_SEED'] ?? 20_260_304);

test('random decisions equal the reference, at the edges of every criterion', (context) => {
  const counts = { compared: 0, allow: 0, shadow: 0 };
  fc.assert(
    fc.property(policies, fc.array(choices, { minLength: REQUESTS, maxLength: REQUESTS }), (written, all) => {
      const policy = load(written);
      for (const choice of all) {
        const request = requestFor(written, choice);
        const expected = decideByReference(written, request);
        assert.deepEqual(decided(policy, request), expected, JSON.stringify(request));
        counts.compared += 1;
        counts.allow += expected.verdict === 'allow' ? 1 : 0;
        counts.shadow += expected.shadow.length > 0 ? 1 : 0;
      }
    }),
    { numRuns: POLICIES, seed, endOnFailure: process.env['SALLYPORT_SHRINK'] === '0' },
  );
  context.diagnostic(
    `compared ${counts.compared} decisions (${counts.allow} allowed, ${counts.shadow} with shadow)`,
  );
  assert.ok(counts.compared >= Math.min(100_000, POLICIES * REQUESTS));
  assert.ok(counts.allow > counts.compared / 50, 'too few allows to mean anything');
  assert.ok(counts.shadow > counts.compared / 50, 'too few shadow rules to mean anything');
});

function load(written: WrittenPolicy): Policy {
  const loading = loadPolicy(JSON.stringify(written), 'generated.json');
  assert.ok(loading.ok, loading.ok ? '' : formatProblems(loading.problems));
  return loading.policy;
}

function decided(policy: Policy, request: AccessRequest): ReferenceDecision {
  const { verdict, reason, rule, shadow = [] } = policy.decide(request, policy.prepare(request.subject));
  return { verdict, reason, rule: rule?.id, shadow };
}
