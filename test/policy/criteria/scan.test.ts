// Scans age. An event in the future, beyond what clocks may differ, never happened.
import type { AccessRequest } from '#policy/input';
import { criterionTest, HOUR, MINUTE, NOW } from './ask.ts';

const ago = (elapsed: number): Partial<AccessRequest> => ({ workload: { scannedAt: NOW - elapsed } });

criterionTest('scan', 'scan-too-old', [
  ['when: { workload: { scannedWithin: 8h } }', ago(8 * HOUR), 'met'],
  ['when: { workload: { scannedWithin: 8h } }', ago(8 * HOUR + 1), 'unmet'],
  ['when: { workload: { scannedWithin: 8h } }', ago(0), 'met'],
  ['when: { workload: { scannedWithin: 8h } }', ago(-MINUTE), 'met'],
  ['when: { workload: { scannedWithin: 8h } }', ago(-MINUTE - 1), 'unknown'],
  ['when: { workload: { scannedWithin: 8h } }', ago(Number.NaN), 'unknown'],
  ['when: { workload: { scannedWithin: 8h } }', { ...ago(0), at: Number.NaN }, 'unknown'],
  ['when: { workload: { scannedWithin: 8h } }', {}, 'unknown'],
]);
