// What the configuration says of assertions: when their keys change, and what each app wants in and beside them.
import { z } from 'zod';
import { duration } from '#gateway/config-values';
import type { AssertionWishes } from './assertion.ts';

/** Names under which other gateways pass on who asks. `unsigned`: plain X-Forwarded-* fields. */
const COMPATIBLE = ['iap', 'pomerium', 'cloudflare', 'unsigned'] as const;
export type CompatibleHeaders = (typeof COMPATIBLE)[number];

export interface AppAssertion extends AssertionWishes {
  /** Ids of the services that are this app: they alone may pass on the names it is told. */
  readonly exchange: readonly string[];
  readonly headers: readonly CompatibleHeaders[];
}

export interface AssertionsConfig {
  /** Milliseconds for which one key signs. */
  readonly rotate: number;
}

export const assertionsSchema: z.ZodType<AssertionsConfig> = z
  .strictObject({ rotate: duration('2d', '365d').prefault('30d') })
  .describe('rotate: how long one key signs. The next is published a day before, old ones for a week after.');

export const appAssertion: z.ZodType<AppAssertion> = z
  .strictObject({
    bind: z
      .enum(['session', 'request'])
      .default('session')
      .describe('request: signed for one method, address and decision each.'),
    groups: z.array(z.string().min(1)).optional().describe('The only groups the app is told of.'),
    exchange: z
      .array(z.string().min(1).max(2048))
      .max(64)
      .default([])
      .describe(
        'Ids of the services that are this app: they may ask other apps in the name of who asked it.',
      ),
    headers: z
      .array(z.enum(COMPATIBLE))
      .default([])
      .describe(
        'The same assertion under the names of other gateways; unsigned: plain X-Forwarded-* fields.',
      ),
  })
  .describe('What the app is told of who asks, and how.');
