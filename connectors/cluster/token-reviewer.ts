// Asks the Kubernetes API beside this connector whether it accepts a token, for a gateway that wants to know. It asks
// that and nothing else: neither address nor path nor its own credentials come from a gateway or go to one.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { ClusterConfig } from '../config.ts';
import { holdsCertificate } from '../wire/certificates.ts';
import type { ResetCode } from '../wire/error.ts';
import type { Log } from '../wire/log.ts';
import type { OpenRequest } from '../wire/open.ts';
import { localhostAwareLookup } from '../wire/outbound.ts';
import { serverIdentity } from '../wire/server-identity.ts';
import { IGNORE, type Stream, type StreamHandler } from '../wire/stream.ts';
import {
  decodeQuestion,
  decodeReview,
  encodeQuestion,
  encodeReview,
  MAX_QUESTION,
  MAX_REVIEW,
  REVIEW_PATH,
  REVIEW_TIME,
  type Review,
  ReviewError,
  type ReviewQuestion,
} from '../wire/token-review.ts';

/** Questions under way at once; a gateway that asks more is told so. */
const AT_ONCE = 64;
/** The log says what is wrong with a cluster at most this often, in milliseconds. */
const TOLD_EVERY = 60_000;

/** It could not be asked: `code` and `message` go to the gateway's log. */
export class ReviewFailure extends Error {
  readonly code: ResetCode;
  constructor(code: ResetCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class TokenReviewer {
  readonly #name: string;
  readonly #config: ClusterConfig;
  readonly #log: Log;
  readonly #now: () => number;
  #agent: Agent | undefined;
  #ca = '';
  #asking = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** `name`: the cluster's. @throws {ReviewFailure} when token or CA cannot be read. */
  constructor(name: string, config: ClusterConfig, { log, now }: { log: Log; now: () => number }) {
    this.#name = name;
    this.#config = config;
    this.#log = log;
    this.#now = now;
    this.#credentials();
  }

  /** Answers a gateway's question on its stream, or resets it with the reason. */
  open(stream: Stream, { kind, request: asked }: OpenRequest, fin: boolean): StreamHandler {
    if (kind !== 'http' || asked.method !== 'POST' || asked.path !== REVIEW_PATH || fin) {
      stream.reset('refused', `only POST ${REVIEW_PATH} is answered here`);
      return IGNORE;
    }
    const pieces: Buffer[] = [];
    let size = 0;
    const gone = new AbortController();
    return {
      ...IGNORE,
      onData: (piece, last) => {
        size += piece.length;
        stream.consume(piece.length);
        if (size > MAX_QUESTION) {
          stream.reset('bad-head', `over ${MAX_QUESTION} bytes`);
          return;
        }
        pieces.push(piece);
        if (last) void this.#answer(stream, Buffer.concat(pieces), gone.signal);
      },
      onReset: () => gone.abort(),
    };
  }

  async #answer(stream: Stream, question: Buffer, gone: AbortSignal): Promise<void> {
    try {
      const answer = encodeReview(await this.review(decodeQuestion(question), gone));
      stream.head(
        200,
        '',
        ['Content-Type', 'application/json', 'Content-Length', String(answer.length)],
        false,
      );
      stream.end(answer);
    } catch (error) {
      if (error instanceof ReviewError) {
        stream.reset('bad-head', `the question: ${error.message}`);
        return;
      }
      if (!(error instanceof ReviewFailure)) throw error;
      const { code, message } = error;
      stream.reset(code, message);
      if (gone.aborted || this.#now() - this.#toldAt < TOLD_EVERY) return;
      this.#toldAt = this.#now();
      this.#log.warn({ cluster: this.#name, code }, `the cluster ${this.#name} cannot be asked: ${message}`);
    }
  }

  /** @throws {ReviewFailure} */
  async review(question: ReviewQuestion, gone: AbortSignal): Promise<Review> {
    if (this.#asking >= AT_ONCE) throw new ReviewFailure('refused', `${AT_ONCE} questions are under way`);
    this.#asking += 1;
    try {
      return await this.#ask(question, AbortSignal.any([gone, AbortSignal.timeout(REVIEW_TIME)]));
    } catch (error) {
      if (gone.aborted)
        throw new ReviewFailure('cancelled', 'nobody waits for it any more', { cause: error });
      throw error instanceof ReviewFailure ? error : failed(error as Error);
    } finally {
      this.#asking -= 1;
    }
  }

  async #ask(question: ReviewQuestion, signal: AbortSignal): Promise<Review> {
    const { token, dispatcher } = this.#credentials();
    // Redirects are not followed: our token would go along.
    const reply = await request(new URL(REVIEW_PATH, this.#config.url), {
      ...{ dispatcher, signal, method: 'POST', body: encodeQuestion(question) },
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json',
        'accept-encoding': 'identity',
      },
    });
    const { statusCode, headers } = reply;
    // 201 is what the API answers to what was created; 200 is documented too.
    if ((statusCode !== 201 && statusCode !== 200) || headers['content-encoding'] !== undefined) {
      reply.body.on('error', () => undefined).destroy();
      throw new ReviewFailure('app-error', MEANING[statusCode] ?? `the API answered ${statusCode}`);
    }
    const pieces: Buffer[] = [];
    for await (const piece of reply.body as AsyncIterable<Buffer>) pieces.push(piece);
    try {
      return decodeReview(Buffer.concat(pieces));
    } catch (cause) {
      if (!(cause instanceof ReviewError)) throw cause;
      throw new ReviewFailure('app-error', `the answer of the API: ${cause.message}`, { cause });
    }
  }

  /** Both files are renewed while we run: the token within the hour, the CA when the cluster’s is rotated. */
  #credentials(): { readonly token: string; readonly dispatcher: Agent } {
    const ca = this.#read('ca');
    if (!holdsCertificate(ca))
      throw new ReviewFailure('app-unreachable', `${this.#config.ca} holds no certificate in PEM`);
    const token = this.#read('token').trim();
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new ReviewFailure('app-unreachable', `${this.#config.token} holds no token`);
    if (this.#agent === undefined || ca !== this.#ca) {
      // What is under way on the old one ends by itself.
      void this.#agent?.close();
      this.#ca = ca;
      this.#agent = new Agent({
        connect: {
          ca,
          lookup: localhostAwareLookup,
          checkServerIdentity: serverIdentity,
          timeout: REVIEW_TIME,
        },
        headersTimeout: REVIEW_TIME,
        bodyTimeout: REVIEW_TIME,
        maxResponseSize: MAX_REVIEW,
        allowH2: false,
      });
    }
    return { token, dispatcher: this.#agent };
  }

  #read(file: 'ca' | 'token'): string {
    const path = this.#config[file];
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new ReviewFailure('app-unreachable', `${path} cannot be read (${code})`, { cause });
    }
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }
}

/** What mends it. */
const MEANING: Readonly<Record<number, string>> = {
  401: 'the API does not know this connector: its token is not accepted (401)',
  403: 'the API does not let this connector create TokenReviews (403): bind system:auth-delegator to its service account',
};

function failed(error: Error): ReviewFailure {
  const { name, message } = error;
  const { code } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  if (name === 'TimeoutError' || /TIMEOUT/.test(code ?? ''))
    return new ReviewFailure('app-timeout', `no answer within ${REVIEW_TIME / 1000} s`, options);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
    return new ReviewFailure('app-error', `the answer of the API is over ${MAX_REVIEW} bytes`, options);
  return new ReviewFailure('app-unreachable', message, options);
}
