// The first frame of each side: versions, limits and what is offered. It believes nothing beyond its limits;
// members that version 1 does not know are ignored, so that later versions can say more.
import { WireError } from './error.ts';
import { MAX_APP_ID, MAX_APPS, MAX_HELLO, MAX_WAYS, VERSIONS } from './limits.ts';
import { RESERVED_IDS } from './token-review.ts';

/** From one gateway to another: a run of a connector that serves an app there. OPEN names it by `wayId`. */
export interface Way {
  readonly app: string;
  readonly connector: string;
  readonly instance: string;
  /** As in `Hello.certificates`. */
  readonly certificate?: string | undefined;
}

/** From the connector, as soon as the WebSocket is open. */
export interface Hello {
  readonly versions: readonly number[];
  /** Bytes the gateway may send on a stream before credit. */
  readonly window: number;
  /** Streams the gateway may have open at once. */
  readonly streams: number;
  /** App ids of the connector's own allow-list. */
  readonly apps: readonly string[];
  /** Names one run of a connector: the same on each of its tunnels. */
  readonly instance: string;
  /** For display. */
  readonly software: string;
  /**
   * By app, the SHA-256 thumbprint (base64url, RFC 8705 `x5t#S256`) of the client certificate that this connector shows
   * it for streams of this tunnel. Apps without one are left out.
   */
  readonly certificates?: Readonly<Record<string, string>> | undefined;
  /** Of a link between gateways: all that is behind the apps it names, so that the other end can choose; or nothing. */
  readonly ways?: readonly Way[] | undefined;
}

/** The gateway's answer: the version that holds from now on. */
export interface Welcome {
  readonly version: number;
  readonly window: number;
  readonly streams: number;
  /** Names the gateway process. */
  readonly instance: string;
  readonly software: string;
}

/** Ids of apps, as configurations and OPEN frames write them. */
export const APP_ID: RegExp = new RegExp(`^[a-z0-9](?:[a-z0-9._-]{0,${MAX_APP_ID - 2}}[a-z0-9])?$`);
/** What OPEN names in the place of an app. */
export function wayId(index: number): string {
  return `${RESERVED_IDS}way.${index}`;
}

const PRINTABLE = /^[\x20-\x7e]{0,128}$/;

function bad(what: string): WireError {
  return new WireError('protocol', what);
}

function members(payload: Buffer, frame: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    throw bad(`${frame}: not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`${frame}: not an object`);
  return value as Record<string, unknown>;
}

function integer(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw bad(`${what}: not an integer from ${min} to ${max}`);
  }
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || !PRINTABLE.test(value))
    throw bad(`${what}: not up to 128 printable characters`);
  return value;
}

function list<T>(value: unknown, max: number, what: string, item: (value: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > max) throw bad(`${what}: not a list of up to ${max}`);
  return value.map(item);
}

/** A SHA-256 in base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

function thumbprints(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('HELLO certificates: not an object');
  const entries = Object.entries(value);
  if (entries.length > MAX_APPS) throw bad(`HELLO certificates: more than ${MAX_APPS}`);
  return Object.fromEntries(entries.map(([app, value]) => [appId(app), thumbprint(value)]));
}

function thumbprint(value: unknown): string {
  if (typeof value !== 'string' || !THUMBPRINT.test(value)) throw bad('HELLO certificates: not a thumbprint');
  return value;
}

function appId(value: unknown): string {
  if (typeof value !== 'string' || !APP_ID.test(value)) throw bad('HELLO apps: not an app id');
  return value;
}

function way(value: unknown): Way {
  if (typeof value !== 'object' || value === null) throw bad('HELLO ways: not an object');
  const { app, connector, instance, certificate } = value as Record<string, unknown>;
  return {
    app: appId(app),
    connector: text(connector, 'HELLO ways: connector'),
    instance: text(instance, 'HELLO ways: instance'),
    ...(certificate === undefined ? {} : { certificate: thumbprint(certificate) }),
  };
}

/** Bounds of what a peer may claim: enough for one frame, and no more than 64 MiB. */
const WINDOW = [16 * 1024, 64 * 1024 * 1024] as const;
const STREAMS = [1, 1_000_000] as const;

/** @throws {WireError} `limits` when it would not fit its frame. */
export function encodeHello(hello: Hello | Welcome): Buffer {
  const payload = Buffer.from(JSON.stringify(hello));
  if (payload.length > MAX_HELLO) throw new WireError('limits', `a hello of ${payload.length} bytes`);
  return payload;
}

/** @throws {WireError} */
export function decodeHello(payload: Buffer): Hello {
  const hello = members(payload, 'HELLO');
  return {
    versions: list(hello['versions'], 16, 'HELLO versions', (v) => integer(v, 1, 255, 'HELLO version')),
    window: integer(hello['window'], ...WINDOW, 'HELLO window'),
    streams: integer(hello['streams'], ...STREAMS, 'HELLO streams'),
    apps: list(hello['apps'], MAX_APPS, 'HELLO apps', appId),
    instance: text(hello['instance'], 'HELLO instance'),
    software: text(hello['software'], 'HELLO software'),
    ...(hello['certificates'] === undefined ? {} : { certificates: thumbprints(hello['certificates']) }),
    ...(hello['ways'] === undefined ? {} : { ways: list(hello['ways'], MAX_WAYS, 'HELLO ways', way) }),
  };
}

/** @throws {WireError} */
export function decodeWelcome(payload: Buffer): Welcome {
  const welcome = members(payload, 'WELCOME');
  const version = integer(welcome['version'], 1, 255, 'WELCOME version');
  if (!VERSIONS.includes(version)) throw new WireError('version', `the gateway chose version ${version}`);
  return {
    version,
    window: integer(welcome['window'], ...WINDOW, 'WELCOME window'),
    streams: integer(welcome['streams'], ...STREAMS, 'WELCOME streams'),
    instance: text(welcome['instance'], 'WELCOME instance'),
    software: text(welcome['software'], 'WELCOME software'),
  };
}

/** The highest version both ends speak. @throws {WireError} `version` when there is none. */
export function chooseVersion(offered: readonly number[]): number {
  const common = offered.filter((version) => VERSIONS.includes(version));
  if (common.length === 0) {
    throw new WireError(
      'version',
      `the connector speaks ${offered.join(', ')}, this gateway ${VERSIONS.join(', ')}`,
    );
  }
  return Math.max(...common);
}
