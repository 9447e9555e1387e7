// Risk scores: below excludes its number, at least includes it.
import { criterionTest } from './ask.ts';

criterionTest('risk', 'risk-out-of-range', [
  ['when: { risk: 40 }', { risk: 39.9 }, 'met'],
  ['when: { risk: 40 }', { risk: 40 }, 'unmet'],
  ['when: { risk: { below: 40 } }', { risk: 0 }, 'met'],
  ['when: { risk: { atLeast: 80 } }', { risk: 80 }, 'met'],
  ['when: { risk: { atLeast: 80 } }', { risk: 79.9 }, 'unmet'],
  ['when: { risk: { atLeast: 20, below: 40 } }', { risk: 20 }, 'met'],
  ['when: { risk: { atLeast: 20, below: 40 } }', { risk: 40 }, 'unmet'],
  ['when: { risk: 40 }', { risk: Number.NaN }, 'unknown'],
  ['when: { risk: { atLeast: 80 } }', { risk: Number.POSITIVE_INFINITY }, 'unknown'],
  ['when: { risk: 40 }', {}, 'unknown'],
]);
