// The allow path allocates nothing: what a decision leaves for the garbage collector is measured, not assumed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildRequest, Workload } from '../bench/policy/workload.ts';
import { policyOf } from './criteria/ask.ts';

/** Enough that what the measurement itself allocates, some kilobytes, disappears. */
const PASSES = 10;

test('an allowed request leaves no garbage', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const workload = new Workload(500);
  const policy = policyOf(workload.document());
  const cases = workload
    .seeds(8000)
    .map((seed) => buildRequest(seed, workload.subjects[seed.user] ?? assert.fail()))
    .map((request) => ({ request, subject: policy.prepare(request.subject) }))
    .filter(({ request, subject }) => policy.decide(request, subject).verdict === 'allow');
  assert.ok(cases.length > 2000);
  const round = (): number => {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let pass = 0; pass < PASSES; pass += 1) {
      for (const { request, subject } of cases) policy.decide(request, subject);
    }
    return (process.memoryUsage().heapUsed - before) / (cases.length * PASSES);
  };
  // Compiling and warming up allocates; the best of several rounds is the steady state.
  const rounds = Array.from({ length: 20 }, round);
  assert.ok(
    Math.min(...rounds.slice(5).map(Math.abs)) < 1,
    `${rounds.slice(-5).join(', ')} bytes per decision`,
  );
});
