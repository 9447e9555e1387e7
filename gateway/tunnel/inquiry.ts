// A question of the gateway's own to a connector, and its short answer, held whole: nobody's request is behind it. It
// may be asked again of another tunnel, since it changes nothing.
import { HeadError, type ResetCode } from '#connectors/wire/error';
import { encodeRequest, type ResponseHead } from '#connectors/wire/head';
import { IGNORE, type Stream, type StreamHandler } from '#connectors/wire/stream';
import type { Choose } from './exchange.ts';
import { failureOf } from './failure.ts';
import type { Answered, Question, RelayFailure } from './relay.ts';
import type { Tunnel } from './tunnel.ts';

/** Tunnels asked before giving up. */
const ATTEMPTS = 3;

export class Inquiry implements StreamHandler {
  readonly answer: Promise<Answered>;
  readonly #question: Question;
  readonly #choose: Choose;
  readonly #tried: Tunnel[] = [];
  readonly #abort: () => void;
  #stream: Stream | undefined;
  #openedAt = 0;
  #status = 0;
  #pieces: Buffer[] = [];
  #size = 0;
  #resolve: (answered: Answered) => void = () => {};

  constructor(question: Question, choose: Choose) {
    this.#question = question;
    this.#choose = choose;
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#abort = (): void => {
      this.#stream?.reset('cancelled', 'given up');
      this.#fail('app-timeout', 'no answer in time');
    };
    question.signal.addEventListener('abort', this.#abort, { once: true });
    if (question.signal.aborted) this.#abort();
    else this.#attempt('no-connector', 'no connector that could answer is connected');
  }

  /** `failure` is what to say when there is no tunnel left. */
  #attempt(failure: RelayFailure, detail: string): void {
    const { app, method, path, body } = this.#question;
    const tunnel = this.#tried.length < ATTEMPTS ? this.#choose(this.#tried, true) : undefined;
    if (tunnel === undefined || tunnel.overloaded) {
      if (tunnel === undefined) this.#fail(failure, detail);
      else this.#fail('overloaded', 'too many unread bytes are held');
      return;
    }
    this.#tried.push(tunnel);
    this.#status = 0;
    this.#openedAt = tunnel.session.clock();
    const fields = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
    try {
      this.#stream = tunnel.open('http', app, encodeRequest(method, path, fields), false, this);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#fail('bad-head', error.message);
      return;
    }
    this.#stream.end(body);
  }

  onHead({ status }: ResponseHead, fin: boolean): void {
    const tunnel = this.#tried.at(-1);
    tunnel?.answered(this.#question.app, tunnel.session.clock() - this.#openedAt);
    this.#status = status;
    this.#pieces = [];
    this.#size = 0;
    if (fin) this.#whole();
  }

  onData(piece: Buffer, fin: boolean): void {
    this.#size += piece.length;
    this.#stream?.consume(piece.length);
    if (this.#size > this.#question.limit) {
      this.#stream?.reset('cancelled', 'too much of an answer');
      this.#fail('app-error', `an answer of over ${this.#question.limit} bytes`);
    } else {
      this.#pieces.push(piece);
      if (fin) this.#whole();
    }
  }

  onTrailers(): void {
    this.#whole();
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    this.#tried.at(-1)?.failed(this.#question.app, code);
    this.#attempt(failureOf(code), detail);
  }

  readonly onInfo: StreamHandler['onInfo'] = IGNORE.onInfo;
  readonly onWritable: StreamHandler['onWritable'] = IGNORE.onWritable;
  /** The asker's own limit is shorter. */
  readonly onIdle: StreamHandler['onIdle'] = IGNORE.onIdle;

  #whole(): void {
    this.#finish({ ok: true, status: this.#status, body: Buffer.concat(this.#pieces) });
  }

  #fail(failure: RelayFailure, detail: string): void {
    this.#finish({ ok: false, failure, detail });
  }

  #finish(answered: Answered): void {
    this.#question.signal.removeEventListener('abort', this.#abort);
    this.#resolve(answered);
  }
}
