// Signatures of the workload's images: one wanted signer is enough.
import { criterionTest } from './ask.ts';

criterionTest('signed by', 'unsigned-workload', [
  ['when: { workload: { signedBy: ci } }', { workload: { signedBy: ['x', 'ci'] } }, 'met'],
  ['when: { workload: { signedBy: [ci, release] } }', { workload: { signedBy: ['release'] } }, 'met'],
  ['when: { workload: { signedBy: ci } }', { workload: { signedBy: [] } }, 'unmet'],
  ['when: { workload: { signedBy: ci } }', { workload: {} }, 'unknown'],
  ['when: { workload: { signedBy: ci } }', {}, 'unknown'],
  ['when: { workload: release }', { workload: { signedBy: ['ci'], worstCve: 'low' } }, 'met'],
]);
