// Quotes age. An event in the future, beyond what clocks may differ, never happened.
import type { AccessRequest } from '#policy/input';
import { criterionTest, HOUR, MINUTE, NOW } from './ask.ts';

const ago = (elapsed: number): Partial<AccessRequest> => ({ device: { id: 'd', quotedAt: NOW - elapsed } });

criterionTest('quote', 'quote-too-old', [
  ['when: { device: { quotedWithin: 8h } }', ago(8 * HOUR), 'met'],
  ['when: { device: { quotedWithin: 8h } }', ago(8 * HOUR + 1), 'unmet'],
  ['when: { device: { quotedWithin: 8h } }', ago(0), 'met'],
  ['when: { device: { quotedWithin: 8h } }', ago(-MINUTE), 'met'],
  ['when: { device: { quotedWithin: 8h } }', ago(-MINUTE - 1), 'unknown'],
  ['when: { device: { quotedWithin: 8h } }', ago(Number.NaN), 'unknown'],
  ['when: { device: { quotedWithin: 8h } }', { ...ago(0), at: Number.NaN }, 'unknown'],
  ['when: { device: { quotedWithin: 8h } }', {}, 'unknown'],
]);
