// The SPIFFE Workload API (SPIFFE_Workload_API, sections 4 to 6): what this connector is, and whom each trust domain
// vouches for, from an agent on the same machine that finds out by itself who asks. The agent keeps the stream open and
// sends anew before anything ends; when it goes away, what it said last stays until it ends.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as netConnect } from 'node:net';
import type { Log } from '../wire/log.ts';
import { type ClientCertificate, ClientCertificateError, clientCertificate } from './client-certificate.ts';
import { readSvids, type SvidsMessage, WorkloadMessageError } from './workload-message.ts';

const METHOD = '/SpiffeWorkloadAPI/FetchX509SVID';
/** The empty request: not compressed, of no bytes. */
const REQUEST: Buffer = Buffer.alloc(5);
/** An agent sends a few certificates; more than this is none. */
const MAX_MESSAGE = 1 << 20;
/** Milliseconds before an agent that went away is asked again: the first time at most, and ever. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;

/** What the agent says. */
export interface WorkloadIdentity {
  readonly spiffeId: string;
  readonly client: ClientCertificate;
  /** By trust domain: its authorities, PEM. */
  readonly bundles: ReadonlyMap<string, string>;
}

export interface WorkloadApiOptions {
  /** Path of the agent's socket. */
  readonly socket: string;
  readonly log: Log;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  onUpdate(identity: WorkloadIdentity): void;
}

export class WorkloadApi {
  readonly #options: WorkloadApiOptions;
  #session: ClientHttp2Session | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: WorkloadApiOptions) {
    this.#options = options;
    this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#session?.destroy();
  }

  #ask(): void {
    const { socket } = this.#options;
    const session = connect('http://localhost', { createConnection: () => netConnect(socket) });
    this.#session = session;
    let over = false;
    const ended = (why: string): void => {
      if (over) return;
      over = true;
      session.destroy();
      this.#again(why);
    };
    session.on('error', (error) => ended(error.message));
    session.on('close', () => ended('it closed the connection'));
    const stream = session.request({
      ':method': 'POST',
      ':path': METHOD,
      'content-type': 'application/grpc',
      te: 'trailers',
      // Without it an agent refuses: a page in a browser cannot send it (Workload API, section 6.2).
      'workload.spiffe.io': 'true',
    });
    stream.on('error', (error) => ended(error.message));
    stream.on('response', (headers) => {
      // A call that is refused at once has its status here (gRPC over HTTP/2, Trailers-Only).
      if (headers[':status'] !== 200 || headers['grpc-status'] !== undefined) ended(statusOf(headers));
    });
    stream.on('trailers', (trailers) => ended(statusOf(trailers)));
    stream.on('close', () => ended('it ended the answer'));
    this.#read(stream, ended);
    stream.end(REQUEST);
  }

  /** Length-prefixed messages, as they come. */
  #read(stream: ClientHttp2Stream, fail: (why: string) => void): void {
    let held: Buffer = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= 5) {
        const length = held.readUInt32BE(1);
        if (held[0] !== 0 || length > MAX_MESSAGE) return fail('it sent what is no message');
        if (held.length < 5 + length) return undefined;
        const message = held.subarray(5, 5 + length);
        held = held.subarray(5 + length);
        try {
          this.#take(identityOf(readSvids(message)));
        } catch (error) {
          const known = error instanceof WorkloadMessageError || error instanceof ClientCertificateError;
          if (!known) throw error;
          return fail(error.message);
        }
      }
      return undefined;
    });
  }

  #take(identity: WorkloadIdentity): void {
    const { log, onUpdate, socket } = this.#options;
    if (this.#stopped) return;
    this.#failures = 0;
    const until = new Date(identity.client.notAfter).toISOString();
    log.info({ socket, until }, `${identity.spiffeId}, by the word of the Workload API, until ${until}`);
    onUpdate(identity);
  }

  #again(why: string): void {
    if (this.#stopped) return;
    const { log, random, socket } = this.#options;
    const pause = random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    log.warn({ socket, retrySeconds: Math.round(pause / 100) / 10 }, `no word from the Workload API: ${why}`);
    this.#timer = setTimeout(() => this.#ask(), pause);
  }
}

function statusOf(headers: Readonly<Record<string, unknown>>): string {
  const { 'grpc-status': status, 'grpc-message': message } = headers;
  // PERMISSION_DENIED: the agent knows no entry for this process.
  if (status === '7') return 'it has no identity for this process; is there a registration entry?';
  return `gRPC status ${String(status)}${message === undefined ? '' : `, ${String(message)}`}`;
}

/** The first of several is the one to use (Workload API, section 5.2.1). @throws {WorkloadMessageError | ClientCertificateError} */
function identityOf({ svids, federated }: SvidsMessage): WorkloadIdentity {
  const [svid] = svids;
  if (svid === undefined) throw new WorkloadMessageError('it knows no SVID for this process');
  const { spiffeId, chain, key, bundle } = svid;
  const client = clientCertificate(pem('CERTIFICATE', ...chain), pem('PRIVATE KEY', key), spiffeId);
  // Without an authority nobody is vouched for.
  const all = [...federated, [trustDomainOf(spiffeId), bundle] as const].filter(
    ([, ders]) => ders.length > 0,
  );
  const bundles = all.map(([name, ders]) => [trustDomainOf(name), pem('CERTIFICATE', ...ders)] as const);
  return { spiffeId, client, bundles: new Map(bundles) };
}

/** Of an id, or of a trust domain as agents name it: with the scheme or without. */
export function trustDomainOf(id: string): string {
  return id.replace(/^spiffe:\/\//, '').split('/', 1)[0] ?? '';
}

function pem(label: string, ...ders: readonly Buffer[]): string {
  const blocks = ders.map((der) => {
    const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
  });
  return blocks.join('');
}
