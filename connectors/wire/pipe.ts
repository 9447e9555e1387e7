// A TCP connection's bytes over a WebSocket, with the half-close TCP has and WebSocket lacks: an empty message ends
// one direction. Both the person's command line and the gateway speak it; each binary message is data, in order.
import { Duplex } from 'node:stream';
import type WebSocket from 'ws';

/** Largest message taken; writers send what their sockets read, which is far less. */
export const MAX_PIPE_MESSAGE: number = 1024 * 1024;

/** Unread bytes at which the other end is held back. */
const HIGH_WATER = 256 * 1024;

/**
 * Milliseconds between heartbeats (RFC 6455 5.5.3, unasked for). Both ends send them, since an answer would have to
 * wait behind the data of a reader that takes its time, who is slow and not gone.
 */
const BEAT = 10_000;

/** An end that listened this many beats and heard nothing is alone: at most 30 s. */
const SILENT_BEATS = 3;

export class WebSocketPipe extends Duplex {
  readonly #ws: WebSocket;
  readonly #beat: NodeJS.Timeout;
  #ended = false;
  #silent = 0;

  /** `beat`: milliseconds between heartbeats. */
  constructor(ws: WebSocket, beat: number = BEAT) {
    super({ readableHighWaterMark: HIGH_WATER, writableHighWaterMark: HIGH_WATER, allowHalfOpen: true });
    this.#ws = ws;
    this.#beat = setInterval(() => this.#keepAlive(), beat).unref();
    ws.on('pong', () => {
      this.#silent = 0;
    });
    ws.on('message', (message: Buffer, binary: boolean) => {
      this.#silent = 0;
      if (!binary || this.#ended) return void this.destroy(new Error('the other end broke the protocol'));
      this.#ended = message.length === 0;
      // After the end nobody reads on, and the close that follows must still be heard.
      if (this.#ended) this.push(null);
      else if (!this.push(message)) ws.pause();
    });
    ws.once('close', () => {
      // Without the empty message the connection broke: what was read so far must not pass for the whole.
      if (!this.#ended) this.destroy(new Error('the connection broke'));
      else if (!this.writableFinished) this.destroy();
    });
    ws.on('error', (error) => this.destroy(error));
    this.once('end', () => this.#closeIfDone());
    this.once('finish', () => this.#closeIfDone());
  }

  override _read(): void {
    if (this.#ws.isPaused) this.#ws.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // An empty chunk would end the direction.
    if (chunk.length === 0) done();
    else this.#ws.send(chunk, { binary: true }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#ws.readyState !== this.#ws.OPEN) done();
    else this.#ws.send(Buffer.alloc(0), { binary: true }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#beat);
    if (error === null && this.readableEnded && this.writableFinished) this.#ws.close(1000);
    else this.#ws.terminate();
    done(error);
  }

  /** Half-open TCP says nothing at all: without this a person who is gone would stay joined to the app. */
  #keepAlive(): void {
    // Who does not listen cannot tell silence from data that waits.
    this.#silent = this.#ws.isPaused ? 0 : this.#silent + 1;
    if (this.#silent >= SILENT_BEATS) this.destroy(new Error('the other end fell silent'));
    else if (this.#ws.readyState === this.#ws.OPEN) this.#ws.pong();
  }

  #closeIfDone(): void {
    if (this.readableEnded && this.writableFinished) this.destroy();
  }
}
