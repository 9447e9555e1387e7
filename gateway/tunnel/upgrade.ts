// A request to change protocols through a tunnel. The two sockets are joined only after the app has said 101, and an
// app that says anything else is answered for as an ordinary response: never a byte slips past that.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HeadError, type ResetCode } from '#connectors/wire/error';
import type { ResponseHead } from '#connectors/wire/head';
import { Splice } from '#connectors/wire/splice';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { hangUp } from '#gateway/edge/hang-up';
import { Answer } from './answer.ts';
import { Ending } from './ending.ts';
import type { Choose } from './exchange.ts';
import { endOfSplice, failureOf } from './failure.ts';
import { frameResponse } from './head.ts';
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

export class Upgrade implements StreamHandler, Relay {
  readonly #ending = new Ending();
  readonly #req: IncomingMessage;
  readonly #socket: Duplex;
  readonly #first: Buffer;
  readonly #protocol: string;
  readonly #options: RelayOptions;
  readonly #method: string;
  readonly #turn: Turn;
  #tunnel: Tunnel | undefined;
  #stream: Stream | undefined;
  #splice: Splice | undefined;
  #answer: Answer | undefined;
  #status: number | undefined;

  /** @throws {TypeError} when the head to forward has no `Upgrade`. */
  constructor(
    app: string,
    req: IncomingMessage,
    socket: Duplex,
    first: Buffer,
    forward: ForwardHead,
    choose: Choose,
    options: RelayOptions,
    turn: Turn,
  ) {
    this.#req = req;
    this.#socket = socket;
    this.#first = first;
    this.#options = options;
    this.#method = forward.method;
    this.#turn = turn;
    const at = forward.headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'upgrade');
    const protocol = forward.headers[at + 1];
    if (at === -1 || protocol === undefined) throw new TypeError('an upgrade without an Upgrade header');
    this.#protocol = protocol;
    socket.pause();
    socket.on('error', () => {});
    socket.on('close', () => this.#clientGone());
    if (socket.destroyed) {
      this.#clientGone();
      return;
    }
    this.#open(app, forward, choose);
  }

  #open(app: string, forward: ForwardHead, choose: Choose): void {
    const tunnel = choose([], false);
    if (tunnel === undefined) {
      this.#finish('failed', 'no-connector');
      return;
    }
    if (tunnel.overloaded) {
      this.#finish('failed', 'overloaded');
      return;
    }
    this.#tunnel = tunnel;
    try {
      this.#stream = tunnel.open('upgrade', app, tunnel.head(app, forward), false, this);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#finish('failed', 'bad-head', error.message);
    }
  }

  onHead(head: ResponseHead, fin: boolean): void {
    const stream = this.#stream as Stream;
    if (head.status !== 101) {
      this.#refused(head, fin, stream);
      return;
    }
    const { headers } = frameResponse(head.headers, 101, true, false);
    if (fin || !upgradesTo(head.headers, this.#protocol)) {
      stream.reset('stream-state', '101 without the protocol that was asked for');
      this.#broken('app-error', '101 without the protocol that was asked for');
      return;
    }
    this.#options.onHead?.(101, headers);
    let text = 'HTTP/1.1 101 Switching Protocols\r\n';
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
    this.#status = 101;
    this.#socket.write(`${text}Connection: Upgrade\r\nUpgrade: ${this.#protocol}\r\n\r\n`, 'latin1');
    this.#splice = new Splice(this.#socket, stream, this.#first, (end, why) =>
      this.#finish(...endOfSplice(end, why)),
    );
    stream.handler = this.#splice;
  }

  /** The app declined: its answer goes out as any other, and the connection ends with it. */
  #refused(head: ResponseHead, fin: boolean, stream: Stream): void {
    const res = new ServerResponse(this.#req);
    res.shouldKeepAlive = false;
    res.assignSocket(this.#socket as Parameters<ServerResponse['assignSocket']>[0]);
    res.on('finish', () => hangUp(this.#socket));
    const answer = new Answer(this.#method, res, this.#options, this.#turn);
    stream.end();
    this.#answer = answer;
    this.#check(answer.head(head, fin, stream));
  }

  onInfo(): void {}

  onData(piece: Buffer, fin: boolean): void {
    this.#check(this.#answer?.data(piece, fin));
  }

  onTrailers(trailers: string[]): void {
    this.#check(this.#answer?.trailers(trailers));
  }

  #check(problem: string | undefined): void {
    this.#status = this.#answer?.status;
    if (problem !== undefined) {
      this.#stream?.reset('stream-state', problem);
      this.#broken('app-error', problem);
    }
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    if (this.#answer?.ended !== true) this.#broken(failureOf(code), detail);
  }

  onWritable(): void {}

  onIdle(): void {
    this.#stream?.reset('cancelled', 'idle');
    this.#broken('app-timeout', 'no answer to the upgrade');
  }

  get done(): Promise<RelayResult> {
    return this.#ending.told;
  }

  get carrier(): TunnelPeer | undefined {
    return this.#tunnel?.peer;
  }

  close(reason: string): void {
    if (this.#ending.over) return;
    this.#finish('closed', undefined, reason);
    this.#stream?.reset('cancelled', reason);
    if (this.#status !== undefined) this.#socket.destroy();
  }

  #broken(failure: RelayFailure, detail: string): void {
    this.#finish('failed', failure, detail);
    if (this.#status !== undefined) this.#socket.destroy();
  }

  /** Before the two are joined; afterwards the splice says how it ended. */
  #clientGone(): void {
    if (this.#splice !== undefined) return;
    if (this.#answer?.ended === true) {
      this.#finish('completed');
    } else {
      this.#stream?.reset('cancelled', 'the client went away');
      this.#finish('client-aborted');
    }
  }

  #finish(outcome: RelayOutcome, failure?: RelayFailure, detail?: string): void {
    const status = this.#status;
    const bytesIn = this.#splice?.bytesRead ?? 0;
    const bytesOut = this.#splice?.bytesWritten ?? this.#answer?.bytesOut ?? 0;
    const connector = this.#tunnel?.peer.connector;
    const carried = { headSent: status !== undefined, status, bytesIn, bytesOut, connector };
    this.#ending.tell(carried, outcome, failure, detail);
  }
}

/** Whether a 101 names the protocol that was asked for (RFC 9110 section 7.8). */
function upgradesTo(headers: readonly string[], protocol: string): boolean {
  return headers.some(
    (field, i) =>
      i % 2 === 0 &&
      field.toLowerCase() === 'upgrade' &&
      headers[i + 1]?.toLowerCase() === protocol.toLowerCase(),
  );
}
