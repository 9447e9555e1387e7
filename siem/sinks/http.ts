// One POST to a receiver, and what its answer means for the records in it. Never follows a redirect: a redirect would
// take the events, and the credential, to somebody else.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { HIDDEN, withoutSecrets } from '../redact.ts';
import { SinkError, troubleOf } from './sink.ts';

export interface HttpTarget {
  readonly url: string;
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Characters of what a receiver says: those looked at, and those passed on. */
const MOST_READ = 2_000;
const MOST_WORDS = 200;
/** A receiver may ask for more; longer than this nobody is kept waiting. */
const MAX_WAIT = 600_000;

export class HttpReceiver {
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #base: string;

  constructor(target: HttpTarget) {
    this.#base = target.url.replace(/\/+$/, '');
    this.#timeoutMs = target.timeoutMs ?? 30_000;
    this.#agent = new Agent({
      connections: 2,
      connect: {
        timeout: 10_000,
        ...(target.ca === undefined ? {} : { ca: readFileSync(target.ca, 'utf8') }),
      },
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /** Sends and answers a 2xx response, or one to accept. Throws SinkError for anything else. */
  async send(
    path: string,
    options: {
      readonly method?: 'POST' | 'PUT' | 'GET';
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
      readonly signal: AbortSignal;
      /** Statuses beside 2xx that are answers too. */
      readonly accept?: readonly number[];
    },
  ): Promise<HttpAnswer> {
    let status: number;
    let text: string;
    let retryAfter: string | undefined;
    try {
      const answer = await request(`${this.#base}${path}`, {
        method: options.method ?? 'POST',
        headers: options.headers,
        body: options.body ?? null,
        dispatcher: this.#agent,
        signal: options.signal,
      });
      status = answer.statusCode;
      retryAfter = [answer.headers['retry-after']].flat()[0];
      text = await answer.body.text();
    } catch (cause) {
      throw new SinkError('unavailable', `${hostOf(this.#base)} did not answer: ${troubleOf(cause)}`, {
        cause,
      });
    }
    if ((status >= 200 && status < 300) || options.accept?.includes(status)) return { status, text };
    throw errorFor(status, saidIn(text, options.headers, MOST_WORDS), hostOf(this.#base), retryAfter);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

const MEANINGS: Readonly<Record<number, string>> = {
  401: ': it does not accept the credential',
  403: ': the credential does not allow this',
  404: ': is the url right?',
};

function errorFor(status: number, said: string, host: string, retryAfter: string | undefined): SinkError {
  const message = `${host} answered ${status}${MEANINGS[status] ?? (said === '' ? '' : `: ${said}`)}`;
  if (status === 400 || status === 413 || status === 422) return new SinkError('batch-rejected', message);
  const retryAfterMs = waitOf(retryAfter);
  const code = status === 429 || status === 408 || status >= 500 ? 'unavailable' : 'refused';
  return new SinkError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/**
 * How a receiver explains itself, on one line of at most `most` characters. Some send back what they were sent: of the
 * credential in `headers` they may have read the clear text, which looks like nothing.
 */
export function saidIn(text: string, headers: Readonly<Record<string, string>>, most: number): string {
  const clean = credentialsIn(headers).reduce(
    (left, one) => left.replaceAll(one, HIDDEN),
    text.slice(0, MOST_READ),
  );
  const line = withoutSecrets(clean)
    .replace(/[^\p{L}\p{N}\p{P}\p{S}]+/gu, ' ')
    .trim();
  return line.slice(0, most).toWellFormed();
}

/** The credential as it is sent, and as whoever reads it has it; the longest first. */
function credentialsIn({ authorization = '' }: Readonly<Record<string, string>>): readonly string[] {
  const [, scheme = '', credential = authorization] = /^(\S+) +(.+)$/.exec(authorization) ?? [];
  const clear = scheme.toLowerCase() === 'basic' ? Buffer.from(credential, 'base64').toString() : '';
  const password = clear.slice(clear.indexOf(':') + 1);
  return [credential, clear, password]
    .flatMap((one) => [one, JSON.stringify(one).slice(1, -1), encodeURIComponent(one)])
    .filter((one) => one !== '')
    .toSorted((a, b) => b.length - a.length);
}

/** Milliseconds of a Retry-After, which is in seconds or the date until when (RFC 9110, 10.2.3). */
function waitOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_WAIT) : undefined;
}

/** For messages: without path, query or credentials. */
function hostOf(url: string): string {
  return new URL(url).host;
}
