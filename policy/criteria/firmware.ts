// The oldest firmware that is good enough, compared number by number (`1.10` is newer than `1.9`).
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';

const VERSION = /^\d{1,9}(\.\d{1,9}){0,7}$/;

export const firmwareSchema: z.ZodString = z
  .string({ error: 'a firmware version is written in quotes, like "1.21.0"' })
  .regex(VERSION, 'a firmware version is numbers and dots, like "1.21.0"');

/** Missing parts count as 0. Both must match the version pattern. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `want`: the oldest that is good enough. */
export function firmwareTruth(want: string, version: string | undefined): Truth {
  if (version === undefined || !VERSION.test(version)) return UNKNOWN;
  return truthOf(version === want || compareVersions(version, want) >= 0);
}

export const firmware: Criterion<string> = {
  key: 'device.firmware',
  code: 'firmware-too-old',
  truth(want: string, facts: Facts): Truth {
    return firmwareTruth(want, facts.request.device?.firmware);
  },
  need: (want) => `${want} or newer`,
  have: (_want, { request }) => request.device?.firmware ?? 'unknown',
  implies: (a, b) => compareVersions(a, b) >= 0,
  disjoint: () => false,
};
