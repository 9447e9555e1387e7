// Builds the recorded form of a request that somebody described in a document or on the command line; facts they
// did not give stay unknown.
import type { AccessRequest, Connector, Device, Login, Posture, Workload } from '../input.ts';
import { INPUT_VERSION } from '../input.ts';
import { Address } from '../net/address.ts';
import { RangeSet } from '../net/ranges.ts';
import { type Definitions, listOf, type RequestDocument } from './document.ts';

/** Used when neither an address nor a network is described: documentation space, RFC 5737. */
const SOME_ADDRESS = '192.0.2.1';

/**
 * Epoch milliseconds of `2026-03-04T10:00Z`, `…+01:00`, `…[Europe/Berlin]`, or of a local time in `zone`. Throws
 * RangeError with a sentence for the author when it is none of these, or is not exactly one instant.
 */
export function parseInstant(text: string, zone: string | undefined): number {
  if (/(Z|[+-]\d\d:?\d\d)$/.test(text)) return Temporal.Instant.from(text).epochMilliseconds;
  if (!text.includes('[') && zone === undefined) {
    throw new RangeError('say in which zone: end it with `Z`, an offset, or [Area/City]');
  }
  const zoned = text.includes('[') ? text : `${text}[${zone}]`;
  // With an offset in the text, Temporal checks it against the zone; without, it must not have to choose.
  return Temporal.ZonedDateTime.from(zoned, { disambiguation: 'reject', offset: 'reject' }).epochMilliseconds;
}

/** The request that `described` means at `at` (epoch milliseconds). Its names must exist in `definitions`. */
export function requestOf(described: RequestDocument, definitions: Definitions, at: number): AccessRequest {
  const login = loginOf(described, at);
  const device = deviceOf(described, definitions, at);
  const workload = workloadOf(described, definitions, at);
  const connector = connectorOf(described, definitions, at);
  const { service, key, app, protocol = 'http', country, asn, feed, risk, ticket, approved } = described;
  const http = protocol === 'http' ? { method: described.method ?? 'GET', path: described.path ?? '/' } : {};
  return {
    version: INPUT_VERSION,
    at,
    subject: {
      kind: service === undefined ? 'user' : 'service',
      id: service ?? described.user ?? 'someone',
      ...(service === undefined && described.user?.includes('@') ? { email: described.user } : {}),
      groups: listOf(described.groups),
      roles: listOf(described.roles),
      ...defined({ key }),
    },
    ...(login === undefined ? {} : { login }),
    ...(device === undefined ? {} : { device }),
    target: { app, protocol, ...http },
    network: {
      address:
        described.address ?? firstAddress(definitions.networks?.[described.network ?? '']) ?? SOME_ADDRESS,
      ...defined({ country, asn, feeds: feed === 'none' ? [] : feed }),
    },
    ...defined({ risk, ticket, approved }),
    ...(workload === undefined ? {} : { workload }),
    ...(connector === undefined ? {} : { connector }),
  };
}

function loginOf({ mfa, amr, acr, provider, service }: RequestDocument, at: number): Login | undefined {
  if (service !== undefined) return undefined;
  const given = { mfaAt: mfa === undefined ? undefined : at - mfa, amr: several(amr), acr };
  return { provider: provider ?? 'unnamed', at, ...defined(given) };
}

type DescribedMachine = Exclude<RequestDocument['device'], undefined>;

function deviceOf({ device }: RequestDocument, definitions: Definitions, at: number): Device | undefined {
  if (device === undefined) return undefined;
  return { id: nameOf(device), ...postureOf(device, definitions, at) };
}

function connectorOf(
  { connector }: RequestDocument,
  definitions: Definitions,
  at: number,
): Connector | undefined {
  if (connector === undefined) return undefined;
  return { name: nameOf(connector), ...postureOf(connector, definitions, at) };
}

function nameOf(machine: DescribedMachine): string {
  return typeof machine === 'string' ? machine : 'described';
}

function postureOf(machine: DescribedMachine, { devices }: Definitions, at: number): Posture {
  if (typeof machine !== 'string') {
    const { quoted, ...claims } = machine;
    return defined({ ...claims, quotedAt: quoted === undefined ? undefined : at - quoted });
  }
  const { quotedWithin, ...claims } = devices?.[machine] ?? {};
  return defined({ ...claims, quotedAt: quotedWithin === undefined ? undefined : at });
}

function workloadOf(
  { workload }: RequestDocument,
  { workloads }: Definitions,
  at: number,
): Workload | undefined {
  if (workload === undefined) return undefined;
  if (typeof workload !== 'string') {
    const { signedBy, provenance, worstCve, scanned } = workload;
    const scannedAt = scanned === undefined ? undefined : at - scanned;
    return defined({
      signedBy: several(signedBy),
      provenance: several(provenance),
      worstCve,
      scannedAt,
    });
  }
  const { signedBy, provenance, worstCve, scannedWithin } = workloads?.[workload] ?? {};
  const cve = typeof worstCve === 'object' ? (worstCve.atMost ?? worstCve.atLeast) : worstCve;
  return defined({
    signedBy: several(signedBy),
    provenance: several(provenance),
    worstCve: cve,
    scannedAt: scannedWithin === undefined ? undefined : at,
  });
}

function firstAddress(cidrs: readonly string[] | undefined): string | undefined {
  const [text] = cidrs === undefined ? [] : new RangeSet(cidrs).edges();
  return text !== undefined && new Address().parse(text) ? text : undefined;
}

function several<T>(value: T | T[] | undefined): readonly T[] | undefined {
  return value === undefined ? undefined : listOf(value);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>;
}
