// The multiplexer that both ends run over one tunnel: streams, credit, pacing, keep-alive and drain. It must notice
// a dead peer by itself, and end the tunnel at the first frame that breaks the protocol.
import { Batch } from './batch.ts';
import { Decoder, type FrameSink } from './decoder.ts';
import { deliver, deliverData } from './deliver.ts';
import {
  GOAWAY_CODE,
  type GoawayCode,
  goawayName,
  HeadError,
  printable,
  RESET_CODE,
  type ResetCode,
  WireError,
} from './error.ts';
import { FIN, FRAME, frameName } from './frame.ts';
import { meet } from './handshake.ts';
import { encodeHello } from './hello.ts';
import { KeepAlive } from './keepalive.ts';
import { LAST_WORDS_MS, type Limits } from './limits.ts';
import { decodeOpen, type OpenRequest } from './open.ts';
import { Pace } from './pace.ts';
import { Round } from './round.ts';
import type { SessionOptions } from './session-options.ts';
import { type Budget, type Carrier, Stream, type StreamHandler } from './stream.ts';
import { Streams } from './streams.ts';
import type { Transport } from './transport.ts';

export class Session implements FrameSink, Carrier {
  readonly limits: Limits;
  readonly budget: Budget;
  readonly clock: () => number;
  readonly batch: Batch;
  readonly pace: Pace;
  peerWindow = 0;
  readonly #options: SessionOptions;
  readonly #transport: Transport;
  readonly #decoder: Decoder = new Decoder(this);
  readonly #streams: Streams;
  readonly #round: Round;
  readonly #keepAlive: KeepAlive;
  #state: 'hello' | 'open' | 'closed' = 'hello';
  #peerStreams = 0;
  #sentGoaway = false;
  #gotGoaway = false;
  /** Bytes of DATA not yet acknowledged to the peer. */
  #unacked = 0;
  #seconds = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.budget = options.budget;
    this.clock = options.clock;
    this.#transport = options.transport;
    this.batch = new Batch(options.transport, options.endOfTurn ?? setImmediate);
    this.pace = new Pace(options.limits, options.clock);
    this.#round = new Round(this.pace);
    this.#keepAlive = new KeepAlive(options.limits, (payload) =>
      this.pace.measure(() => this.#urgent(FRAME.PING, payload)),
    );
    this.#streams = new Streams('welcome' in options.greeting);
    options.transport.attach(
      (bytes) => this.#bytes(bytes),
      // What was closed after its goodbye is no peer that fell silent.
      (why) => this.#closed(this.#gotGoaway ? 'going-away' : 'silent', why),
    );
    if ('hello' in options.greeting) this.#urgent(FRAME.HELLO, encodeHello(options.greeting.hello));
  }

  /** Streams under way. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Whether `open` may be called. */
  get ready(): boolean {
    if (this.#state !== 'open' || this.draining || this.#streams.exhausted) return false;
    return this.#streams.size < this.#peerStreams && this.#transport.backlog <= this.limits.maxBacklog;
  }

  get draining(): boolean {
    return this.#sentGoaway || this.#gotGoaway;
  }
  /** The peer owes an answer, and may be gone. */
  get silent(): boolean {
    return this.#keepAlive.silent;
  }

  /**
   * Opens a stream. `prefix` is from `openPrefix`, `head` from `encodeRequest` (empty for TCP).
   * Only while `ready`. `fin`: the request has no body.
   */
  open(prefix: Buffer, head: string, fin: boolean, handler: StreamHandler, idleLimit: number): Stream {
    const stream = new Stream(this, this.#streams.next(), true, idleLimit);
    stream.handler = handler;
    this.#streams.add(stream);
    stream.localEnded = fin;
    this.batch.text(fin ? FRAME.OPEN | FIN : FRAME.OPEN, stream.id, prefix, head);
    return stream;
  }

  /** Whether bytes may go out now, ahead of what waits. */
  mayPass(stream: Stream, bytes: number): boolean {
    return stream.passes(bytes) || (this.#round.empty && this.pace.room >= bytes);
  }

  /** The stream has bytes waiting: it takes part in the round. */
  join(stream: Stream): void {
    this.#round.join(stream);
    this.#round.run();
  }

  /** The stream is over. */
  forget(stream: Stream): void {
    this.#streams.delete(stream);
    this.#endIfDrained();
  }

  /** Opens no more streams and asks the peer to open none. The tunnel closes when the last stream has ended. */
  goAway(): void {
    if (this.#state === 'hello') this.end('going-away', 'before the hello');
    if (this.#state === 'closed' || this.#sentGoaway) return;
    this.#sayGoaway('going-away', '');
    this.#endIfDrained();
  }

  /** Ends the tunnel at once. */
  end(code: GoawayCode, why: string): void {
    if (this.#state === 'closed') return;
    this.#sayGoaway(code, why);
    this.batch.flush();
    if (code === 'silent') this.#transport.terminate();
    else setTimeout(() => this.#transport.terminate(), LAST_WORDS_MS).unref();
    this.#transport.close();
    this.#closed(code, why);
  }

  /** Called each `TICK_MS`. `second`: the same for tunnels that share a line, which measure it together. */
  tick(second: number = this.#seconds + 1): void {
    if (this.#state === 'closed') return;
    this.#seconds += 1;
    this.batch.tick();
    if (this.#streams.highest >= this.limits.replaceAt) this.#options.onWorn?.();
    if (this.#state === 'hello') {
      if (this.#seconds > this.limits.helloSeconds) this.end('silent', 'no hello in time');
      return;
    }
    if (this.#keepAlive.tick(second)) this.#streams.tick();
    else this.end('silent', `nothing heard for ${this.limits.pongSeconds} s after a ping`);
  }

  /** Keep-alive and the hello do not wait for the end of the turn. */
  #urgent(type: number, payload: Buffer): void {
    this.batch.frame(type, 0, payload);
    this.batch.flush();
  }

  #sayGoaway(code: GoawayCode, detail: string): void {
    this.#sentGoaway = true;
    this.batch.text(FRAME.GOAWAY, 0, Buffer.of(GOAWAY_CODE[code]), printable(detail));
  }

  /** Both sides have promised to open nothing more, and nothing is open. */
  #endIfDrained(): void {
    if (!this.#sentGoaway || !this.#gotGoaway || this.#streams.size > 0 || this.#state === 'closed') return;
    this.batch.flush();
    this.#transport.close();
    this.#closed('going-away', 'drained');
  }

  #closed(code: GoawayCode, why: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const lost = [...this.#streams.values()];
    for (const stream of lost) {
      stream.forget();
      stream.handler.onReset('lost', why);
    }
    this.#options.onClose(code, why, lost.length);
  }

  #bytes(bytes: Buffer): void {
    if (this.#state === 'closed') return;
    this.#keepAlive.heard();
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.end(error.code, error.message);
      return;
    }
    if (this.#transport.backlog > this.limits.maxBacklog) this.end('limits', 'the peer does not read');
  }

  onData(id: number, piece: Buffer, fin: boolean): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'hello') throw new WireError('protocol', 'DATA before the hello');
    this.#unacked += piece.length;
    if (this.#unacked >= this.limits.ackEvery) {
      this.batch.number(FRAME.SESSION_ACK, 0, this.#unacked);
      this.#unacked = 0;
    }
    const stream = this.#streams.find(id);
    if (stream !== undefined) deliverData(stream, piece, fin);
  }

  onFrame(type: number, fin: boolean, id: number, payload: Buffer): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'hello' && type !== FRAME.GOAWAY) {
      this.#handshake(type, payload);
    } else if (type === FRAME.OPEN) {
      this.#opened(id, fin, payload);
    } else if (id !== 0) {
      const stream = this.#streams.find(id);
      if (stream !== undefined) deliver(stream, type, fin, payload);
    } else {
      this.#onSession(type, payload);
    }
  }

  #handshake(type: number, payload: Buffer): void {
    const { peer, answer } = meet(this.#options.greeting, type, payload);
    const { window, streams } = 'hello' in peer ? peer.hello : peer.welcome;
    this.#state = 'open';
    this.peerWindow = window;
    this.#peerStreams = streams;
    if (answer !== undefined) this.batch.frame(FRAME.WELCOME, 0, answer);
    this.#options.onReady(peer);
    this.#keepAlive.ping();
  }

  #opened(id: number, fin: boolean, payload: Buffer): void {
    if (this.#gotGoaway) throw new WireError('protocol', 'OPEN after GOAWAY');
    this.#streams.arrived(id);
    const { onOpen } = this.#options;
    if (onOpen === undefined) this.#keepAlive.signalled('OPEN');
    const full = this.#streams.size >= this.limits.streams || this.budget.held > this.limits.maxHeld;
    if (onOpen === undefined || full) {
      this.#refuse(id, 'refused', 'none are taken, or no more');
      return;
    }
    let request: OpenRequest;
    try {
      request = decodeOpen(payload);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#refuse(id, 'bad-head', error.message);
      return;
    }
    const stream = new Stream(this, id, false, 0);
    stream.remoteEnded = fin;
    this.#streams.add(stream);
    stream.handler = onOpen(stream, request, fin);
  }

  #refuse(id: number, code: ResetCode, why: string): void {
    this.batch.text(FRAME.RST, id, Buffer.of(RESET_CODE[code]), why);
  }

  #onSession(type: number, payload: Buffer): void {
    if (type !== FRAME.SESSION_ACK) this.#keepAlive.signalled(frameName(type));
    switch (type) {
      case FRAME.SESSION_ACK:
        if (!this.pace.acked(payload.readUInt32BE(0)))
          throw new WireError('flow-control', 'nothing, or more than was sent, is acknowledged');
        this.#round.run();
        return;
      case FRAME.PING:
        this.#urgent(FRAME.PONG, payload);
        return;
      case FRAME.PONG:
        if (this.#keepAlive.answers(payload)) this.pace.ponged();
        this.#round.run();
        return;
      case FRAME.GOAWAY:
        this.#goaway(payload);
        return;
      default:
        throw new WireError('protocol', `a second ${frameName(type)}`);
    }
  }

  #goaway(payload: Buffer): void {
    const code = goawayName(payload[0] as number) ?? 'protocol';
    const detail = printable(payload.toString('latin1', 1));
    if (code !== 'going-away') {
      this.#transport.terminate();
      this.#closed(code, `the peer says: ${detail}`);
      return;
    }
    if (this.#gotGoaway) return;
    this.#gotGoaway = true;
    if (!this.#sentGoaway) this.#sayGoaway('going-away', '');
    this.#options.onGoaway(code, detail);
    this.#endIfDrained();
  }
}
