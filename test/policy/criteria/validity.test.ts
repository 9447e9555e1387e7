// From and until: the first instant is inside, the last one is not.
import { criterionTest, NOW } from './ask.ts';

const at = (offset: number): { at: number } => ({ at: NOW + offset });
const text = new Date(NOW).toISOString();

criterionTest('validity', 'not-in-force', [
  [`from: ${text}`, at(0), 'met'],
  [`from: ${text}`, at(-1), 'unmet'],
  [`until: ${text}`, at(-1), 'met'],
  [`until: ${text}`, at(0), 'unmet'],
  ['from: 2026-03-04T10:00+01:00, until: 2026-03-04T11:00+01:00', at(0), 'met'],
  ['from: 2026-03-04T10:00:00.500+01:00', at(499), 'unmet'],
  [`until: ${text}`, { at: Number.NaN }, 'unknown'],
  [`until: ${text}`, { at: -1 }, 'unknown'],
]);
