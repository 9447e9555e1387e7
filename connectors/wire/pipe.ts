// A TCP connection's bytes over a WebSocket, with the half-close TCP has and WebSocket lacks: an empty message ends
// one direction. Both the person's command line and the gateway speak it; each binary message is data, in order.
import { Duplex } from 'node:stream';
import type WebSocket from 'ws';

/** Largest message taken; writers send what their sockets read, which is far less. */
export const MAX_PIPE_MESSAGE: number = 1024 * 1024;

/** Unread bytes at which the other end is held back. */
const HIGH_WATER = 256 * 1024;

export class WebSocketPipe extends Duplex {
  readonly #ws: WebSocket;
  #ended = false;

  constructor(ws: WebSocket) {
    super({ readableHighWaterMark: HIGH_WATER, writableHighWaterMark: HIGH_WATER, allowHalfOpen: true });
    this.#ws = ws;
    ws.on('message', (message: Buffer, binary: boolean) => {
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
    if (error === null && this.readableEnded && this.writableFinished) this.#ws.close(1000);
    else this.#ws.terminate();
    done(error);
  }

  #closeIfDone(): void {
    if (this.readableEnded && this.writableFinished) this.destroy();
  }
}
