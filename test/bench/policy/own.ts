// Sallyport's own evaluator, as the gateway uses it: memberships resolved per session, the request built per decision.
import { loadPolicy, type Policy } from '#policy/load';
import type { Engine } from './engines.ts';
import { buildRequest, type Workload } from './workload.ts';

export function ownPolicy(workload: Workload): Policy {
  const loading = loadPolicy(workload.document(), 'workload.yaml');
  if (!loading.ok) throw new Error(loading.problems[0]?.message);
  return loading.policy;
}

export function own(workload: Workload, policy: Policy): Engine {
  const prepared = workload.subjects.map((subject) => policy.prepare(subject));
  return {
    name: 'sallyport',
    version: '',
    decide(seed) {
      const subject = prepared[seed.user] ?? missing();
      return policy.decide(buildRequest(seed, subject.subject), subject).verdict;
    },
  };
}

function missing(): never {
  throw new Error('the workload names a user it does not have');
}
