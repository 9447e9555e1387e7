// Hours by the wall clock; the golden tables of clock changes are in ../time.
import { criterionTest, HOUR, MINUTE, NOW } from './ask.ts';

const at = (offset: number): { at: number } => ({ at: NOW + offset });

criterionTest('hours', 'outside-hours', [
  ['when: { hours: office }', at(0), 'met'],
  ['when: { hours: office }', at(-2 * HOUR), 'met'],
  ['when: { hours: office }', at(-2 * HOUR - 1), 'unmet'],
  ['when: { hours: office }', at(8 * HOUR - 1), 'met'],
  ['when: { hours: office }', at(8 * HOUR), 'unmet'],
  ['when: { hours: office }', at(72 * HOUR), 'unmet'],
  ['when: { hours: night }', at(12 * HOUR), 'met'],
  ['when: { hours: night }', at(19 * HOUR + 59 * MINUTE), 'met'],
  ['when: { hours: night }', at(20 * HOUR), 'unmet'],
  ['when: { hours: [office, night] }', at(12 * HOUR), 'met'],
  ['when: { hours: office }', { at: Number.NaN }, 'unknown'],
]);
