// A TCP connection's bytes over a WebSocket, with what TCP has and WebSocket lacks: an empty binary message ends one
// direction, and a text message says how many bytes were taken in all. Both the person's command line and the gateway
// speak it. It must never stop listening: a reader that takes its time is told by credit from one that is gone.
import { Duplex } from 'node:stream';
import type WebSocket from 'ws';

/** Bytes that may be on their way or unread in one direction: what a slow reader makes the other end hold. */
export const PIPE_WINDOW: number = 512 * 1024;
/** Largest message taken: a writer may send a whole window at once. */
export const MAX_PIPE_MESSAGE: number = PIPE_WINDOW;

/** Bytes at which whoever writes into this end is held back. */
const HIGH_WATER = 256 * 1024;

/** Milliseconds between two words of how many bytes were taken, also if there were none: a heartbeat. */
const BEAT = 8_000;

/** An end that heard nothing for this many beats is alone: at most 24 s. */
const SILENT_BEATS = 3;

const COUNT = /^\d{1,15}$/;

export class WebSocketPipe extends Duplex {
  readonly #ws: WebSocket;
  readonly #beat: NodeJS.Timeout;
  #ended = false;
  #silent = 0;
  /** Bytes that came, and of those the ones whose taking the other end was told. */
  #received = 0;
  #told = 0;
  /** Bytes that went, and of those the ones the other end has taken. */
  #sent = 0;
  #taken = 0;
  /** What waits for credit. */
  #waiting: Buffer | undefined;
  #written: ((error?: Error | null) => void) | undefined;

  /** `beat`: milliseconds between heartbeats. */
  constructor(ws: WebSocket, beat: number = BEAT) {
    super({ readableHighWaterMark: HIGH_WATER, writableHighWaterMark: HIGH_WATER, allowHalfOpen: true });
    this.#ws = ws;
    this.#beat = setInterval(() => this.#keepAlive(), beat).unref();
    ws.on('message', (message: Buffer, binary: boolean) => {
      this.#silent = 0;
      if (this.destroyed) return;
      if (binary) this.#data(message);
      else this.#credit(message.toString('latin1'));
    });
    ws.once('close', () => {
      clearInterval(this.#beat);
      // Without the empty message the connection broke: what was read so far must not pass for the whole.
      if (!this.#ended) this.destroy(new Error('the connection broke'));
      // Nobody takes what is written here any more; but what came is whole, and for whoever reads it.
      else if (this.readableEnded) this.destroy();
      else this.once('end', () => this.destroy());
    });
    ws.on('error', (error) => this.destroy(error));
    this.once('end', () => this.#closeIfDone());
    this.once('finish', () => this.#closeIfDone());
  }

  #data(message: Buffer): void {
    this.#received += message.length;
    const late = this.#ended;
    this.#ended ||= message.length === 0;
    if (late || this.#received - this.#told > PIPE_WINDOW) this.#broken();
    else if (this.#ended) this.push(null);
    else {
      this.push(message);
      this.#tell(PIPE_WINDOW / 2);
    }
  }

  #credit(text: string): void {
    const taken = COUNT.test(text) ? Number(text) : -1;
    if (taken < this.#taken || taken > this.#sent) {
      this.#broken();
      return;
    }
    this.#taken = taken;
    this.#send();
  }

  #broken(): void {
    this.destroy(new Error('the other end broke the protocol'));
  }

  /** Says how many bytes were taken, if that is `least` more than the other end knows of. */
  #tell(least: number): void {
    const taken = this.#received - this.readableLength;
    if (taken - this.#told < least || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#told = taken;
    this.#ws.send(String(taken));
  }

  /** As every `Readable`; what is taken here is room for more. */
  override read(size?: number): Buffer | null {
    const chunk = super.read(size) as Buffer | null;
    if (chunk !== null && !this.#ended) this.#tell(PIPE_WINDOW / 2);
    return chunk;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // An empty message would end the direction.
    if (chunk.length === 0) {
      done();
      return;
    }
    this.#waiting = chunk;
    this.#written = done;
    this.#send();
  }

  /** As much of what waits as there is credit for. */
  #send(): void {
    const chunk = this.#waiting;
    const room = PIPE_WINDOW - (this.#sent - this.#taken);
    if (chunk === undefined || room === 0 || this.#ws.readyState !== this.#ws.OPEN) return;
    const part = chunk.subarray(0, room);
    this.#sent += part.length;
    if (part.length < chunk.length) {
      this.#waiting = chunk.subarray(room);
      this.#ws.send(part, { binary: true });
      return;
    }
    const done = this.#written;
    this.#waiting = undefined;
    this.#written = undefined;
    this.#ws.send(part, { binary: true }, (error) => {
      // What that means is for the close to say, which always comes.
      if (!error) done?.();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#ws.send(Buffer.alloc(0), { binary: true }, (error) => {
      if (!error) done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#beat);
    // What was said in full is on its way: an orderly close comes behind it.
    if (error === null && this.writableFinished) this.#ws.close(1000);
    else this.#ws.terminate();
    done(error);
  }

  /** Half-open TCP says nothing at all: without this a person who is gone would stay joined to the app. */
  #keepAlive(): void {
    this.#silent += 1;
    if (this.#silent >= SILENT_BEATS) this.destroy(new Error('the other end fell silent'));
    else this.#tell(0);
  }

  #closeIfDone(): void {
    if (this.readableEnded && this.writableFinished) this.destroy();
  }
}
