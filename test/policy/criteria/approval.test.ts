// Approvals: what a rule asks of them, and what a request must show.
import { criterionTest } from './ask.ts';

criterionTest('approved', 'not-approved', [
  ['when: { approved: true }', { approved: true }, 'met'],
  ['when: { approved: true }', { approved: false }, 'unmet'],
  ['when: { approved: false }', { approved: false }, 'met'],
  ['when: { approved: true }', {}, 'unknown'],
]);
