// One HTTP request through a tunnel and back: the hot path. It writes nothing to the client before a connector has
// answered with a head, and never sends the same request twice once any of its body has been read.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HeadError, type ResetCode } from '#connectors/wire/error';
import type { ResponseHead } from '#connectors/wire/head';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { breakOff } from '#gateway/edge/break-off';
import { forwardTrailers } from '#gateway/edge/forwarded';
import { hasBody } from '#gateway/edge/request-body';
import { Answer } from './answer.ts';
import { Ending } from './ending.ts';
import { failureOf } from './failure.ts';
import type {
  ForwardHead,
  Relay,
  RelayFailure,
  RelayOptions,
  RelayOutcome,
  RelayResult,
  TunnelPeer,
} from './relay.ts';
import type { Tunnel } from './tunnel.ts';
import type { Turn } from './turn.ts';

/** Picks a tunnel that serves the app and is not among those that failed already. */
export type Choose = (tried: readonly Tunnel[], replayable: boolean) => Tunnel | undefined;

/** Connectors asked for one idempotent request before giving up. */
const ATTEMPTS = 3;
/** Milliseconds for which the rest of an upload is read and dropped after an early answer, so that it arrives. */
const LINGER_MS = 5000;

export class Exchange implements StreamHandler, Relay {
  readonly #ending = new Ending();
  readonly #app: string;
  readonly #forward: ForwardHead;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #choose: Choose;
  readonly #options: RelayOptions;
  readonly #answer: Answer;
  readonly #body: boolean;
  readonly #replayable: boolean;
  readonly #tried: Tunnel[] = [];
  #tunnel: Tunnel | undefined;
  #stream: Stream | undefined;
  #openedAt = 0;
  #bytesIn = 0;
  #uploading = false;

  constructor(
    app: string,
    req: IncomingMessage,
    res: ServerResponse,
    forward: ForwardHead,
    choose: Choose,
    options: RelayOptions,
    turn: Turn,
  ) {
    this.#app = app;
    this.#req = req;
    this.#res = res;
    this.#forward = forward;
    this.#choose = choose;
    this.#options = options;
    this.#answer = new Answer(forward.method, res, options, turn);
    this.#body = hasBody(req);
    this.#replayable = !this.#body && (forward.method === 'GET' || forward.method === 'HEAD');
    res.on('close', () => this.#clientGone());
    if (res.destroyed) {
      this.#clientGone();
      return;
    }
    this.#attempt('no-connector', '');
  }

  /** Opens the stream on a tunnel; `failure` is what to say when there is none left. */
  #attempt(failure: RelayFailure, detail: string): void {
    const tunnel = this.#tried.length < ATTEMPTS ? this.#choose(this.#tried, this.#replayable) : undefined;
    if (tunnel === undefined || (failure === 'app-error' && this.#asked(tunnel))) {
      this.#fail(failure, detail);
      return;
    }
    if (tunnel.overloaded) {
      this.#fail('overloaded', 'too many unread bytes are held');
      return;
    }
    this.#tunnel = tunnel;
    this.#tried.push(tunnel);
    this.#openedAt = tunnel.session.clock();
    try {
      const head = tunnel.head(this.#app, this.#forward);
      this.#stream = tunnel.open('http', this.#app, head, !this.#body, this);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#fail('bad-head', error.message);
      return;
    }
    if (this.#body) this.#upload(this.#stream);
  }

  /** Whether its connector had this request already. What an app broke off there, it would break off again. */
  #asked({ instance }: Tunnel): boolean {
    return this.#tried.some((tunnel) => tunnel.instance === instance);
  }

  #upload(stream: Stream): void {
    const req = this.#req;
    const declared = Number(req.headers['content-length'] ?? -1);
    this.#uploading = true;
    if (this.#options.expectContinue === true) this.#res.writeContinue();
    req.on('data', (chunk: Buffer) => {
      if (stream.closed || this.#answer.ended) return;
      this.#bytesIn += chunk.length;
      if (this.#bytesIn === declared) stream.end(chunk);
      else if (!stream.write(chunk)) req.pause();
    });
    req.on('end', () => {
      this.#uploading = false;
      const trailers = forwardTrailers(req.rawTrailers);
      try {
        if (trailers.length > 0) stream.endWithTrailers(trailers);
        else stream.end();
      } catch (error) {
        if (!(error instanceof HeadError)) throw error;
        stream.reset('bad-head', error.message);
        this.#broken('bad-head', error.message);
      }
    });
  }

  onWritable(): void {
    this.#req.resume();
  }

  onHead(head: ResponseHead, fin: boolean): void {
    const tunnel = this.#tunnel as Tunnel;
    tunnel.answered(this.#app, tunnel.session.clock() - this.#openedAt);
    this.#check(this.#answer.head(head, fin, this.#stream as Stream));
  }

  onInfo(head: ResponseHead): void {
    this.#answer.info(head);
  }

  onData(piece: Buffer, fin: boolean): void {
    this.#check(this.#answer.data(piece, fin));
  }

  onTrailers(trailers: string[]): void {
    this.#check(this.#answer.trailers(trailers));
  }

  /** After each event of the response: `problem` is what the connector did wrong. */
  #check(problem: string | undefined): void {
    if (problem !== undefined) {
      this.#stream?.reset('stream-state', problem);
      this.#broken('app-error', problem);
    } else if (this.#answer.ended && this.#uploading) {
      this.#linger();
    }
  }

  /** The answer came before the request was complete: a socket closed on unread bytes would take it along. */
  #linger(): void {
    const { socket } = this.#req;
    this.#req.resume();
    const cut = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    this.#req.once('close', () => clearTimeout(cut));
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    if (this.#answer.ended) return;
    const failure = failureOf(code);
    this.#tunnel?.failed(this.#app, code);
    // Before the head of a request without body, nobody has seen anything of this attempt. An app that was too slow has all
    // of it, and would be asked for as much again while the client waits as long again.
    const over = code === 'bad-head' || code === 'app-timeout' || this.#ending.over;
    if (this.#replayable && this.#answer.status === undefined && !over) {
      this.#attempt(failure, detail);
    } else {
      this.#broken(failure, detail);
    }
  }

  onIdle(): void {
    this.#stream?.reset('cancelled', 'idle');
    this.#broken('app-timeout', 'nothing came or went for too long');
  }

  get done(): Promise<RelayResult> {
    return this.#ending.told;
  }

  get carrier(): TunnelPeer | undefined {
    return this.#tunnel?.peer;
  }

  close(reason: string): void {
    if (this.#ending.over) return;
    this.#stream?.reset('cancelled', reason);
    this.#cut();
    this.#finish('closed', undefined, reason);
  }

  #fail(failure: RelayFailure, detail: string): void {
    this.#finish('failed', failure, detail);
  }

  #broken(failure: RelayFailure, detail: string): void {
    this.#finish('failed', failure, detail);
    this.#answer.letGo();
    this.#cut();
  }

  /** A client that has seen a head must see its connection break, or it would take the part for the whole. */
  #cut(): void {
    if (this.#answer.status === undefined) return;
    const { socket } = this.#res;
    // To HTTP/1.0 the end of the connection is the end of the body.
    if (socket !== null && !this.#res.useChunkedEncodingByDefault) breakOff(socket);
    this.#res.destroy();
  }

  /** node's `close`: after the last byte was handed to the kernel, or when the client went away before. */
  #clientGone(): void {
    if (this.#res.writableFinished) {
      this.#finish('completed');
    } else {
      this.#stream?.reset('cancelled', 'the client went away');
      this.#finish('client-aborted');
    }
  }

  #finish(outcome: RelayOutcome, failure?: RelayFailure, detail?: string): void {
    const { status, bytesOut } = this.#answer;
    const connector = this.#tunnel?.peer.connector;
    const carried = { headSent: status !== undefined, status, bytesIn: this.#bytesIn, bytesOut, connector };
    this.#ending.tell(carried, outcome, failure, detail);
  }
}
