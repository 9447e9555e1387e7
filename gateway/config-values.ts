// The kinds of value a configuration holds, each with the words a mistake in it is answered with.
import { isIP } from 'node:net';
import { z } from 'zod';
import { RESERVED_IDS } from '#connectors/wire/token-review';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `15m`, `8h`, `90s`, `7d` as milliseconds. */
export function duration(min: string, max: string): z.ZodType<number, string> {
  const parse = (text: string): number => {
    const match = /^([1-9][0-9]{0,5})([smhd])$/.exec(text);
    return match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  };
  return z
    .string()
    .refine((text) => parse(text) >= parse(min) && parse(text) <= parse(max), {
      error: `expected a duration from ${min} to ${max}, like 15m or 8h`,
    })
    .transform(parse);
}

const SIZES: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30 };
export const size: z.ZodType<number, string> = z
  .string()
  .regex(/^[1-9][0-9]{0,4}(?:MiB|GiB)$/, { error: 'expected a size like 512MiB or 8GiB' })
  .transform((text) => Number.parseInt(text, 10) * (SIZES[text.slice(-3)] ?? 0));

export const hostname: z.ZodType<string> = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/, {
    error: 'expected a lower-case host name without scheme, port or trailing dot, like wiki.example.com',
  })
  .max(253);

export const id: z.ZodType<string> = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, {
    error: 'expected an id of lower-case letters, digits, ".", "_" and "-", like grafana.prod',
  })
  .refine((text) => !text.startsWith(RESERVED_IDS), {
    error: `ids that begin with ${RESERVED_IDS} are the gateway’s own: choose another`,
  });

export const file: z.ZodType<string> = z.string().min(1).describe('A path, relative to this document.');

export const address: z.ZodType<ListenAddress, string> = z
  .string()
  .refine((text) => parseAddress(text) !== undefined, {
    error: 'expected address:port, like 0.0.0.0:8443 or [::]:8443',
  })
  .transform((text) => parseAddress(text) ?? { host: '127.0.0.1', port: 0 });

function parseAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || isIP(host) === 0 || port > 65_535 ? undefined : { host, port };
}

export const loopback: z.ZodType<ListenAddress, string> = address.refine(
  ({ host }) => host.startsWith('127.') || host === '::1',
  {
    error: 'health and metrics answer without a login: listen on a loopback address, like 127.0.0.1:9090',
  },
);

/** An https origin: no path, no query, no credentials. As browsers write it. */
export const origin: z.ZodType<string, string> = z
  .string()
  .refine((text) => text === originOf(text) || text === `${originOf(text)}/`, {
    error: 'expected an https origin without a path, like https://access.example.com',
  })
  .transform((text) => originOf(text) ?? text);

function originOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' ? url.origin : undefined;
}

/** The host of an origin or another URL, an IPv6 address without its brackets. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : '';
}

const NAMED = 'browsers only say by which name they came: expected a name, not an address';

/** Where people come by their browsers, which name no address in TLS. */
export const namedOrigin: z.ZodType<string, string> = origin.refine((text) => isIP(hostOf(text)) === 0, {
  error: NAMED,
});
export const site: z.ZodType<string> = hostname.refine((text) => isIP(text) === 0, { error: NAMED });

/** What stands in a certificate for a machine that is dialled. */
export const hostOrAddress: z.ZodType<string> = z
  .string()
  .refine((text) => isIP(text) !== 0 || hostname.safeParse(text.toLowerCase()).success, {
    error: 'expected a host name or an address without scheme, port or brackets, like gw.example.com or ::1',
  });

/** What is wrong with an origin whose host no certificate for `hosts` names; undefined if nothing is. */
export function unnamedIn(hosts: readonly string[], origin: string | undefined): string | undefined {
  if (origin === undefined || hosts.some((name) => name.toLowerCase() === hostOf(origin))) return undefined;
  return `${hostOf(origin)} is not among \`connectors.hosts\`, so other gateways would not believe who answers there`;
}

export const issuer: z.ZodType<string> = z.string().refine(isIssuer, {
  error: 'expected an https URL without credentials and query, exactly as the provider publishes its issuer',
});

function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return protocol === 'https:' && username === '' && password === '' && !/[?#]/.test(text);
}

/** Says of each value that was there before that it is; `pathOf` its index. */
export function refuseRepeats(
  values: readonly string[],
  pathOf: (index: number) => (string | number)[],
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) {
      context.addIssue({
        code: 'custom',
        path: pathOf(index),
        message: `"${value}" is used twice; it must be unique`,
      });
    }
    seen.add(value);
  }
}
