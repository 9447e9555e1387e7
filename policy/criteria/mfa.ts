// How long ago the person last proved a second factor.
import { z } from 'zod';
import { DURATION, parseDuration } from '../time/duration.ts';
import { withinAge } from './age.ts';
import type { Criterion } from './criterion.ts';

/** Milliseconds, written like `15m` or `8h`. */
export const durationSchema: z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> = z
  .string({ error: 'a duration is written like `15m`, `8h` or `30d`' })
  .regex(DURATION, 'a duration is written like `15m`, `8h` or `30d`')
  .transform(parseDuration);

export const mfa: Criterion<number> = withinAge('mfa', 'mfa-too-old', ({ request }) => request.login?.mfaAt);
