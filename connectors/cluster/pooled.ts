// One HTTP exchange with an app over the pool: the connector's hot path. Body framing comes from the tunnel's frames
// alone, and a response that breaks off is reset, never ended.
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { ResetCode } from '../wire/error.ts';
import type { RequestHead } from '../wire/head.ts';
import type { Stream, StreamHandler } from '../wire/stream.ts';
import type { App } from './app.ts';
import { failureOf } from './failure.ts';
import { respond } from './respond.ts';

type Controller = Dispatcher.DispatchController;

/** A reason phrase as latin-1 text: the pool has read it as UTF-8, and what is none is lost. */
function bytesOf(reason: string): string {
  if (/^[ -~]*$/.test(reason)) return reason;
  return reason.includes('\ufffd') ? '' : Buffer.from(reason).toString('latin1');
}

/** A request body: bytes of the stream, whose credit returns as the app's connection takes them. */
class Body extends Readable {
  readonly #stream: Stream;
  #arrived = 0;
  #returned = 0;

  constructor(stream: Stream) {
    super({ highWaterMark: 64 * 1024 });
    this.#stream = stream;
  }

  add(piece: Buffer): void {
    this.#arrived += piece.length;
    this.push(piece);
    this.#credit();
  }

  override _read(): void {
    this.#credit();
  }

  #credit(): void {
    const taken = this.#arrived - this.readableLength - this.#returned;
    this.#returned += taken;
    this.#stream.consume(taken);
  }
}

export class PooledExchange implements StreamHandler, Dispatcher.DispatchHandler {
  readonly #app: App;
  readonly #stream: Stream;
  readonly #request: RequestHead;
  readonly #body: Body | undefined;
  #controller: Controller | undefined;
  /** Over before the app had an answer: the request is to be dropped as soon as it can be. */
  #dropped = false;
  #answered = false;
  #attempts = 1;
  /** Body bytes still to come, where the app declared how many. */
  #left = -1;

  constructor(app: App, stream: Stream, request: RequestHead, fin: boolean) {
    this.#app = app;
    this.#stream = stream;
    this.#request = request;
    this.#body = fin ? undefined : new Body(stream);
    this.#dispatch();
  }

  #dispatch(): void {
    const { method, path, headers } = this.#request;
    const options = { method, path, headers, body: this.#body ?? null, servername: this.#app.serverName };
    this.#app.dispatch(options as Dispatcher.DispatchOptions, this);
  }

  // From the tunnel.

  onData(piece: Buffer, fin: boolean): void {
    if (piece.length > 0) this.#body?.add(piece);
    if (fin) this.#body?.push(null);
  }

  /** A request that announced trailers did not come here; unannounced ones are dropped, as RFC 9110 6.5 allows. */
  onTrailers(): void {
    this.#body?.push(null);
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    this.#dropped = true;
    const reason = new Error(`the gateway ended the stream: ${code} ${detail}`);
    this.#controller?.abort(reason);
    this.#body?.destroy();
  }

  onWritable(): void {
    // Later: the pool's parser must not be entered again from inside one of its own calls.
    const controller = this.#controller;
    if (controller?.paused === true) process.nextTick(() => controller.resume());
  }

  onHead(): void {}
  onInfo(): void {}
  onIdle(): void {}

  // From the app.

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#dropped) controller.abort(new Error('the gateway ended the stream'));
  }

  onResponseStart(controller: Controller, status: number, _headers: unknown, reason?: string): void {
    this.#answered = true;
    const length = respond(this.#stream, status, bytesOf(reason ?? ''), controller.rawHeaders as Buffer[]);
    if (status >= 200) this.#left = this.#request.method === 'HEAD' ? -1 : length;
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#left -= chunk.length;
    // The last piece of a known length takes the end along: one frame instead of two.
    if (this.#left === 0) this.#stream.end(chunk);
    else if (!this.#stream.write(chunk)) controller.pause();
  }

  onResponseEnd(controller: Controller): void {
    const trailers = ((controller.rawTrailers as Buffer[] | null) ?? []).map((field) =>
      field.toString('latin1'),
    );
    if (trailers.length > 0) this.#stream.endWithTrailers(trailers);
    else this.#stream.end();
    // The app answered without reading all of the request: the rest is not wanted.
    if (!this.#stream.remoteEnded) this.#stream.stop();
    this.#body?.destroy();
  }

  onResponseError(_controller: Controller | undefined, error: Error): void {
    if (this.#dropped || this.#stream.closed) return;
    if (this.#stale(error)) {
      this.#attempts += 1;
      this.#controller = undefined;
      this.#dispatch();
      return;
    }
    const code = failureOf(error, this.#controller !== undefined);
    this.#stream.reset(code, error.message);
    this.#body?.destroy();
  }

  /** A kept connection that the app closed at the moment of use: nothing was answered, so a safe request goes again. */
  #stale(error: Error): boolean {
    const { code } = error as NodeJS.ErrnoException;
    const safe = this.#request.method === 'GET' || this.#request.method === 'HEAD';
    const broken = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
    const sent = this.#controller !== undefined && !this.#answered;
    return safe && this.#body === undefined && broken && sent && this.#attempts === 1;
  }
}
