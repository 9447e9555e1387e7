// Kafka: one topic, keyed by gateway so that the events of one stay in order, acknowledged by all replicas that are in
// sync. The client is an optional package that only this sink loads.
import { readFileSync } from 'node:fs';
import type { Producer } from '@platformatic/kafka';
import { parseRecord } from '../outbox/segment.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, troubleOf, type Verdict } from './sink.ts';

const PACKAGE = '@platformatic/kafka';
const HOW_TO_INSTALL = `the kafka sink needs a package that does not come with Sallyport. Run: npm install ${PACKAGE}@2`;

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface KafkaOptions {
  readonly name: string;
  /** `host:port`, of any brokers of the cluster. */
  readonly brokers: readonly string[];
  readonly topic: string;
  /** False only towards this machine. */
  readonly tls: boolean;
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly certificate?: { readonly file: string; readonly key: string } | undefined;
  readonly sasl?:
    | { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string }
    | undefined;
  readonly timeoutMs?: number;
}

/** What a broker answers to a batch that would never be taken as it is. */
const UNACCEPTABLE = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'];
/** What somebody has to change before anything is taken. */
const REFUSED = [
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'INVALID_TOPIC_EXCEPTION',
];

/** Whether the package is there. */
function kafkaIsInstalled(): boolean {
  try {
    import.meta.resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}

export class KafkaSink implements Sink {
  readonly name: string;
  readonly type = 'kafka';
  readonly #options: KafkaOptions;
  readonly #tls: Record<string, unknown> | undefined;
  #producer: Promise<Producer> | undefined;

  /** Throws SinkError `refused` if the package is missing. */
  constructor(options: KafkaOptions) {
    if (!kafkaIsInstalled()) throw new SinkError('refused', HOW_TO_INSTALL);
    this.name = options.name;
    this.#options = options;
    this.#tls = options.tls ? tlsOf(options) : undefined;
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const { topic } = this.#options;
    const messages = batch.map(({ line }) => ({ topic, key: gatewayOf(line), value: line }));
    try {
      signal.throwIfAborted();
      this.#producer ??= this.#connect();
      const producer = await this.#producer;
      await aborting(producer.send({ messages }), signal);
    } catch (cause) {
      // A producer that failed is not asked again: what it still holds might go out behind what comes next.
      await this.close();
      throw errorFor(cause, topic);
    }
    return batch.map(() => DELIVERED);
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.then((one) => one.close(true)).catch(() => undefined);
  }

  async #connect(): Promise<Producer> {
    const { brokers, sasl, timeoutMs = 30_000 } = this.#options;
    const { Producer } = await import('@platformatic/kafka');
    return new Producer({
      clientId: 'sallyport',
      bootstrapBrokers: [...brokers],
      // Idempotent: within one send, a repeat whose first try was taken is recognised by the broker.
      idempotent: true,
      autocreateTopics: false,
      // The shipper retries for as long as it takes; here only what a change of leader asks for.
      retries: 2,
      retryDelay: 200,
      timeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectTimeout: Math.min(timeoutMs, 10_000),
      ...(this.#tls && { tls: this.#tls }),
      ...(sasl && { sasl }),
    });
  }
}

function tlsOf({ ca, certificate }: KafkaOptions): Record<string, unknown> {
  return {
    ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
    ...(certificate && {
      cert: readFileSync(certificate.file, 'utf8'),
      key: readFileSync(certificate.key, 'utf8'),
    }),
  };
}

function gatewayOf(line: Buffer): Buffer {
  const { sallyport } = (parseRecord(line) ?? {}) as { sallyport?: { gateway?: { id?: string } } };
  return Buffer.from(sallyport?.gateway?.id ?? '');
}

/** The answer of `work`, or a rejection as soon as `signal` says so. */
async function aborting<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

interface KafkaError extends Error {
  readonly code?: string;
  readonly apiId?: string;
  readonly errors?: readonly KafkaError[];
  readonly cause?: KafkaError;
}

function errorFor(cause: unknown, topic: string): SinkError {
  if (cause instanceof SinkError) return cause;
  const words = codesOf(cause as KafkaError);
  const has = (codes: readonly string[]): string | undefined => codes.find((code) => words.has(code));
  const unacceptable = has(UNACCEPTABLE);
  if (unacceptable !== undefined) {
    return new SinkError('batch-rejected', `the broker refused a batch: ${unacceptable}`, { cause });
  }
  const refused = has(REFUSED) ?? (words.has('PLT_KFK_AUTHENTICATION') ? 'authentication failed' : undefined);
  if (refused !== undefined) {
    return new SinkError('refused', `the brokers refuse topic ${topic}: ${refused}`, { cause });
  }
  if (/^Unknown topic /.test((cause as Error).message)) {
    return new SinkError('refused', `there is no topic ${topic}: it is not made on the way`, { cause });
  }
  const code = [...words].at(-1) ?? (cause as Error).name;
  return new SinkError('unavailable', `the brokers did not acknowledge: ${troubleOf({ code })}`, { cause });
}

/** Codes of an error, of what caused it and of what it is made of. */
function codesOf(error: KafkaError | undefined, found: Set<string> = new Set()): Set<string> {
  if (error === undefined || error === null || found.size > 50) return found;
  for (const code of [error.code, error.apiId]) if (typeof code === 'string') found.add(code);
  for (const each of error.errors ?? []) codesOf(each, found);
  return codesOf(error.cause, found);
}
