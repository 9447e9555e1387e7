// An exchange on a connection of its own, for what the pool cannot carry: upgrades, and requests with trailers.
// Such a connection is never used again.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ResetCode } from '../wire/error.ts';
import type { RequestHead } from '../wire/head.ts';
import { Outlet } from '../wire/outlet.ts';
import { Splice } from '../wire/splice.ts';
import type { Stream, StreamHandler } from '../wire/stream.ts';
import type { App } from './app.ts';
import { failureOf } from './failure.ts';
import { respond } from './respond.ts';

const MAX_RESPONSE_HEAD = 64 * 1024;
/** Never taken from the tunnel: the connection is ours. */
const OWN_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'expect',
  'upgrade',
]);

function fieldsFor(request: RequestHead, upgrade: boolean, body: boolean): string[] {
  const headers: string[] = [];
  let protocol = '';
  let framed = !body;
  for (let i = 0; i < request.headers.length; i += 2) {
    const name = request.headers[i] as string;
    const value = request.headers[i + 1] as string;
    const folded = name.toLowerCase();
    if (folded === 'upgrade') protocol = value;
    if (folded === 'content-length') framed = true;
    if (!OWN_FIELDS.has(folded)) headers.push(name, value);
  }
  headers.push('Connection', upgrade ? 'Upgrade' : 'close');
  if (upgrade) headers.push('Upgrade', protocol);
  else if (!framed) headers.push('Transfer-Encoding', 'chunked');
  return headers;
}

export class DirectExchange implements StreamHandler {
  readonly #app: App;
  readonly #stream: Stream;
  readonly #upgrade: boolean;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #outlet: Outlet | undefined;
  #headTimer: NodeJS.Timeout | undefined;

  constructor(app: App, stream: Stream, request: RequestHead, upgrade: boolean, fin: boolean) {
    this.#app = app;
    this.#stream = stream;
    this.#upgrade = upgrade;
    app.dial((error, socket) => {
      if (socket === undefined || error !== null) {
        this.#fail(error ?? new Error('no connection'), false);
      } else if (stream.closed) {
        socket.destroy();
      } else {
        this.#send(socket, request, fin);
      }
    });
  }

  #send(socket: Socket, head: RequestHead, fin: boolean): void {
    const body = !fin && !this.#upgrade;
    try {
      this.#request = httpRequest({
        method: head.method,
        path: head.path,
        headers: fieldsFor(head, this.#upgrade, body),
        setHost: false,
        maxHeaderSize: MAX_RESPONSE_HEAD,
        createConnection: () => socket,
      });
    } catch (error) {
      socket.destroy();
      this.#stream.reset('bad-head', (error as Error).message);
      return;
    }
    const request = this.#request;
    this.#app.keepUpgraded(socket);
    this.#await(request);
    request.on('error', (error) => this.#fail(error, true));
    request.on('drain', () => {});
    request.on('information', ({ statusCode, rawHeaders }) =>
      this.#carry(() => respond(this.#stream, statusCode, '', rawHeaders)),
    );
    request.on('response', (response) => this.#respond(response));
    request.on('upgrade', (response, upgraded, first) => this.#switch(response, upgraded as Socket, first));
    if (body) {
      this.#outlet = new Outlet(request, this.#stream);
      // An app may answer before the body comes. Not node's `flushHeaders`: it writes what is beyond ASCII in UTF-8.
      request.write('', 'latin1');
      for (const piece of this.#early) this.#outlet.write(piece);
      this.#early = [];
      if (this.#earlyEnd !== undefined) this.#endRequest(this.#earlyEnd);
    } else {
      request.end();
    }
  }

  /** An app that takes what comes of a body is not late: its time begins anew with each piece, and counts from the end. */
  #await(request: ClientRequest): void {
    this.#headTimer = setTimeout(() => {
      if (this.#outlet !== undefined && !request.writableEnded && !request.writableNeedDrain) {
        this.#await(request);
        return;
      }
      this.#stream.reset('app-timeout', `no response head within ${this.#app.headTimeout / 1000} s`);
      request.destroy();
    }, this.#app.headTimeout);
  }

  #answered(): void {
    clearTimeout(this.#headTimer);
    this.#headTimer = undefined;
  }

  /** What came before the connection was there; within the stream's window. */
  #early: Buffer[] = [];
  #earlyEnd: string[] | undefined;

  #endRequest(trailers: string[]): void {
    if (this.#outlet === undefined || this.#request === undefined) {
      this.#earlyEnd = trailers;
      return;
    }
    const pairs: [string, string][] = [];
    for (let i = 0; i < trailers.length; i += 2)
      pairs.push([trailers[i] as string, trailers[i + 1] as string]);
    if (pairs.length > 0) this.#request.addTrailers(pairs);
    this.#outlet.flush();
    this.#request.end();
    this.#headTimer?.refresh();
  }

  onData(piece: Buffer, fin: boolean): void {
    if (this.#upgrade) {
      // Bytes of the new protocol before the app has agreed to it: an attempt to smuggle a request.
      if (piece.length > 0) this.#abort('stream-state', 'bytes before the app agreed to the upgrade');
      return;
    }
    if (piece.length > 0) {
      if (this.#outlet === undefined) this.#early.push(piece);
      else this.#outlet.write(piece);
      this.#headTimer?.refresh();
    }
    if (fin) this.#endRequest([]);
  }

  onTrailers(trailers: string[]): void {
    if (!this.#upgrade) this.#endRequest(trailers);
  }

  #carry(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error as Error, true);
    }
  }

  #respond(response: IncomingMessage): void {
    this.#answered();
    // The connection speaks HTTP on: nobody may be told that it does not.
    if (response.statusCode === 101) {
      this.#abort('app-error', '101 without Connection: Upgrade');
      return;
    }
    this.#response = response;
    const stream = this.#stream;
    this.#carry(() =>
      respond(stream, response.statusCode ?? 0, response.statusMessage ?? '', response.rawHeaders),
    );
    response.on('data', (chunk: Buffer) => {
      if (!stream.write(chunk)) response.pause();
    });
    response.on('end', () => {
      this.#carry(() => {
        if (response.rawTrailers.length > 0) stream.endWithTrailers(response.rawTrailers);
        else stream.end();
      });
      if (!stream.remoteEnded) stream.stop();
      this.#request?.destroy();
    });
    response.on('error', (error) => this.#fail(error, true));
  }

  #switch(response: IncomingMessage, socket: Socket, first: Buffer): void {
    this.#answered();
    if (!this.#upgrade || response.statusCode !== 101) {
      this.#abort('app-error', `status ${response.statusCode} with an upgrade nobody asked for`);
      socket.destroy();
      return;
    }
    this.#carry(() => {
      respond(this.#stream, 101, 'Switching Protocols', response.rawHeaders);
      this.#stream.handler = new Splice(socket, this.#stream, first, () => {});
    });
  }

  #fail(error: Error, connected: boolean): void {
    this.#abort(failureOf(error, connected), error.message);
  }

  #abort(code: ResetCode, detail: string): void {
    this.#answered();
    this.#stream.reset(code, detail);
    this.#request?.destroy();
  }

  onReset(): void {
    this.#answered();
    this.#request?.destroy();
  }

  onWritable(): void {
    this.#response?.resume();
  }

  onHead(): void {}
  onInfo(): void {}
  onIdle(): void {}
}
