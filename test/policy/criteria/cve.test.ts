// Worst vulnerability: a severity alone is the worst that is still good enough.
import type { AccessRequest, Workload } from '#policy/input';
import { criterionTest } from './ask.ts';

const worst = (worstCve: NonNullable<Workload['worstCve']>): Partial<AccessRequest> => ({
  workload: { worstCve },
});

criterionTest('worst CVE', 'cve-out-of-range', [
  ['when: { workload: { worstCve: medium } }', worst('medium'), 'met'],
  ['when: { workload: { worstCve: medium } }', worst('none'), 'met'],
  ['when: { workload: { worstCve: medium } }', worst('high'), 'unmet'],
  ['when: { workload: { worstCve: { atLeast: high } } }', worst('critical'), 'met'],
  ['when: { workload: { worstCve: { atLeast: high } } }', worst('medium'), 'unmet'],
  ['when: { workload: { worstCve: { atLeast: low, atMost: medium } } }', worst('none'), 'unmet'],
  ['when: { workload: { worstCve: medium } }', { workload: {} }, 'unknown'],
  ['when: { workload: { worstCve: medium } }', { workload: { worstCve: 'horrible' as 'high' } }, 'unknown'],
]);
