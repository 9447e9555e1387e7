// Provenance of the workload's images.
import { criterionTest } from './ask.ts';

criterionTest('provenance', 'wrong-provenance', [
  ['when: { workload: { provenance: slsa3 } }', { workload: { provenance: ['slsa3'] } }, 'met'],
  ['when: { workload: { provenance: slsa3 } }', { workload: { provenance: ['laptop'] } }, 'unmet'],
  ['when: { workload: { provenance: slsa3 } }', { workload: {} }, 'unknown'],
]);
