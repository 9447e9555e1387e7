// Tickets: what a rule asks of them, and what a request must show.
import { criterionTest } from './ask.ts';

criterionTest('ticket', 'no-open-ticket', [
  ['when: { ticket: open }', { ticket: 'open' }, 'met'],
  ['when: { ticket: open }', { ticket: 'none' }, 'unmet'],
  ['when: { ticket: none }', { ticket: 'none' }, 'met'],
  ['when: { ticket: open }', {}, 'unknown'],
]);
