// How long ago the device last proved its state with a TPM quote (RFC 9334: freshness of evidence).
import { withinAge } from './age.ts';
import type { Criterion } from './criterion.ts';

export const quote: Criterion<number> = withinAge(
  'device.quotedWithin',
  'quote-too-old',
  ({ request }) => request.device?.quotedAt,
);
