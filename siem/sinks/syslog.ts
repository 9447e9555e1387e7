// Syslog over TLS (RFC 5424, 5425): octet-counted messages with the ECS document or CEF as their text.
// The protocol has no acknowledgement, so what may not have been read when a connection broke is sent again.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { parseRecord } from '../outbox/segment.ts';
import { cefOf } from './cef.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, troubleOf, type Verdict } from './sink.ts';

export interface SyslogOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly ca?: string | undefined;
  readonly certificate?: { readonly file: string; readonly key: string } | undefined;
  readonly format: 'ecs' | 'cef';
  /** How long after sending a receiver that ends the connection in order may not have read a message. */
  readonly settleMs?: number | undefined;
  readonly now: () => number;
}

interface Sent {
  readonly bytes: Buffer;
  at: number;
}

/** local0, severity notice; alerts are local0, critical. */
const NOTICE = 16 * 8 + 5;
const CRITICAL = 16 * 8 + 2;
/** More than the two machines hold between them (Linux: 4 MiB to be sent, 6 MiB to be read): what is older was read. */
const MAX_UNSETTLED_BYTES = 16 * 1024 * 1024;
const CONNECT_TIMEOUT = 10_000;

export class SyslogSink implements Sink {
  readonly name: string;
  readonly type = 'syslog';
  readonly #options: SyslogOptions;
  #socket: TLSSocket | undefined;
  /** Sent on this connection or the one that broke, and perhaps not read yet. */
  #unsettled: Sent[] = [];
  #unsettledBytes = 0;

  constructor(options: SyslogOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    const frames: Buffer[] = [];
    for (const { line } of batch) {
      const frame = frameFor(line, this.#options.format);
      if (frame !== undefined) frames.push(frame);
      verdicts.push(frame === undefined ? { kind: 'rejected', why: 'not one of our records' } : DELIVERED);
    }
    const bytes = Buffer.concat(frames);
    const socket = await this.#connected(signal);
    await write(socket, bytes, signal);
    this.#remember(bytes);
    return verdicts;
  }

  /** Whether there is a connection that is not known to be broken. */
  get connected(): boolean {
    return this.#socket?.destroyed === false;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.destroyed) return;
    // Everything written goes out before the end of the connection does.
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.setTimeout(2_000, () => socket.destroy());
      socket.end();
    });
  }

  async #connected(signal: AbortSignal): Promise<TLSSocket> {
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable) return this.#socket;
    const socket = await open(this.#options, signal);
    for (const sent of this.#unsettled) {
      await write(socket, sent.bytes, signal);
      sent.at = this.#options.now();
    }
    // Who ends a connection in order has read all but the last; of any other end nothing is known.
    socket.once('end', () => this.#forgetSettled());
    this.#socket = socket;
    return socket;
  }

  #remember(bytes: Buffer): void {
    this.#unsettled.push({ bytes, at: this.#options.now() });
    this.#unsettledBytes += bytes.length;
    while (this.#unsettledBytes > MAX_UNSETTLED_BYTES) this.#dropOldest();
  }

  #forgetSettled(): void {
    const settled = this.#options.now() - (this.#options.settleMs ?? 5_000);
    while (this.#unsettled.length > 0 && (this.#unsettled[0]?.at ?? 0) < settled) this.#dropOldest();
  }

  #dropOldest(): void {
    this.#unsettledBytes -= this.#unsettled.shift()?.bytes.length ?? 0;
  }
}

function open(options: SyslogOptions, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port, ca, certificate } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      socket.destroy();
      reject(
        new SinkError('unavailable', `${host}:${port} cannot be reached: ${troubleOf(cause)}`, { cause }),
      );
    };
    const abort = (): void => fail(new Error('stopped'));
    const socket = connect({
      host,
      port,
      // A name in the handshake must not be an address; either is checked against the certificate.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(certificate === undefined
        ? {}
        : { cert: readFileSync(certificate.file), key: readFileSync(certificate.key) }),
    });
    socket.setTimeout(CONNECT_TIMEOUT, () => fail(new Error('timeout')));
    socket.once('error', fail);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      signal.removeEventListener('abort', abort);
      // Later errors come with the write they break; a receiver that closes destroys the socket.
      socket.on('error', () => socket.destroy());
      socket.on('end', () => socket.destroy());
      socket.resume();
      resolve(socket);
    });
  });
}

/** Answers when the kernel has taken the bytes. */
function write(socket: TLSSocket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (bytes.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const broke = (): void => {
      stop();
      reject(new SinkError('unavailable', 'the connection broke'));
    };
    const abort = (): void => {
      socket.destroy();
    };
    const stop = (): void => {
      socket.off('close', broke);
      signal.removeEventListener('abort', abort);
    };
    socket.once('close', broke);
    signal.addEventListener('abort', abort, { once: true });
    if (socket.destroyed) return broke();
    socket.write(bytes, (error) => {
      if (error !== null && error !== undefined) return broke();
      stop();
      resolve();
    });
  });
}

interface Facts {
  readonly '@timestamp': string;
  readonly event: { readonly action: string; readonly kind: string; readonly id: string };
  readonly observer: { readonly hostname: string };
}

/** `LEN SP <PRI>1 TIME HOST APP PROCID MSGID SD BOM MSG`; undefined if the line is no event. */
function frameFor(line: Buffer, format: 'ecs' | 'cef'): Buffer | undefined {
  const document = parseRecord(line) as (Facts & Record<string, unknown>) | undefined;
  if (document?.event?.action === undefined || document.observer?.hostname === undefined) return undefined;
  const { event, observer } = document;
  const priority = event.kind === 'alert' ? CRITICAL : NOTICE;
  const head = `<${priority}>1 ${document['@timestamp']} ${token(observer.hostname, 255)} sallyport - ${token(event.action, 32)} - `;
  const text = format === 'cef' ? Buffer.from(cefOf(document)) : line;
  // The byte order mark says that the text is UTF-8 (RFC 5424, 6.4).
  const length = head.length + 3 + text.length;
  return Buffer.concat([Buffer.from(`${length} ${head}`), Buffer.from([0xef, 0xbb, 0xbf]), text]);
}

/** A header field: printable ASCII without spaces. */
function token(text: string, max: number): string {
  const clean = text.replace(/[^!-~]/g, '_').slice(0, max);
  return clean === '' ? '-' : clean;
}
