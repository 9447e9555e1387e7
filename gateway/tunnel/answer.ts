// Writes an app's response to the client as it comes. A body that is cut short, or longer than declared, must never
// look complete: then the connection is destroyed instead of ended.
import type { ServerResponse } from 'node:http';
import type { ResponseHead } from '#connectors/wire/head';
import { Outlet } from '#connectors/wire/outlet';
import type { Stream } from '#connectors/wire/stream';
import { frameResponse, trailerPairs } from './head.ts';
import type { RelayOptions } from './relay.ts';
import type { Turn } from './turn.ts';

export class Answer {
  status: number | undefined;
  bytesOut = 0;
  /** The whole response has been handed to node. */
  ended = false;
  readonly #method: string;
  readonly #res: ServerResponse;
  readonly #options: RelayOptions;
  #outlet: Outlet | undefined;
  #length = -1;
  #bodyless = false;
  /** The end of the turn is waited for. */
  #held = false;
  /** Corked until then. */
  #socket: ServerResponse['socket'] = null;
  readonly #turn: Turn;

  constructor(method: string, res: ServerResponse, options: RelayOptions, turn: Turn) {
    this.#turn = turn;
    this.#method = method;
    this.#res = res;
    this.#options = options;
  }

  /** The final head. Says what is wrong with it, in which case nothing was written. */
  head(head: ResponseHead, fin: boolean, stream: Stream): string | undefined {
    const { status } = head;
    const res = this.#res;
    if (status < 200) return `status ${status} as a final answer`;
    this.#bodyless = this.#method === 'HEAD' || status === 204 || status === 304;
    const framing = frameResponse(head.headers, status, this.#bodyless, res.useChunkedEncodingByDefault);
    if (framing.problem !== undefined) return framing.problem;
    if (fin && framing.length > 0) return `no body where ${framing.length} bytes were declared`;
    this.#options.onHead?.(status, framing.headers);
    this.#length = framing.length;
    this.status = status;
    if (framing.events) stream.idleLimit = 0;
    res.writeHead(status, head.reason, framing.headers);
    if (fin) {
      this.#finish();
    } else {
      this.#outlet = new Outlet(res, stream);
      this.#hold();
    }
    return undefined;
  }

  /** Body bytes. Says what is wrong, in which case the caller destroys the connection. */
  data(piece: Buffer, fin: boolean): string | undefined {
    this.bytesOut += piece.length;
    if (this.#bodyless && piece.length > 0) return 'a body where there cannot be one';
    if (this.#length !== -1 && this.bytesOut > this.#length)
      return `more than the ${this.#length} bytes declared`;
    if (!fin) {
      this.#cork();
      this.#outlet?.write(piece);
      return undefined;
    }
    if (this.#length !== -1 && this.bytesOut !== this.#length) return this.#short();
    this.#finish(piece.length > 0 ? piece : undefined);
    return undefined;
  }

  /** The end with trailers. */
  trailers(trailers: string[]): string | undefined {
    if (this.#length !== -1 && this.bytesOut !== this.#length) return this.#short();
    if (!this.#bodyless && this.#length === -1) this.#res.addTrailers(trailerPairs(trailers));
    this.#finish();
    return undefined;
  }

  #short(): string {
    return `${this.bytesOut} bytes where ${this.#length} were declared`;
  }

  #finish(last?: Buffer): void {
    this.ended = true;
    this.#outlet?.flush();
    if (last === undefined) this.#res.end();
    else this.#res.end(last);
  }

  /**
   * An informational head, as the app said it; what this client cannot take is left out. So is what it is too slow to read:
   * there is no credit for these, and a hint that waits is none. `100` and `101` are ours to say.
   */
  info({ status, headers }: ResponseHead): void {
    const res = this.#res;
    if (status < 102 || status > 199) return;
    if (res.headersSent || res.req.httpVersionMinor === 0 || res.socket?.writableNeedDrain !== false) return;
    const framing = frameResponse(headers, status, true, false);
    if (framing.problem !== undefined) return;
    this.#options.onHead?.(status, framing.headers);
    res.writeInformation(status, framing.headers);
  }

  /**
   * Lets go of what waits for the end of the turn, since the answer breaks off: a client that has seen no head may take its
   * kept connection for one that was closed unused, and send the request again.
   */
  letGo(): void {
    if (!this.#held) return;
    // Or node itself would cork, until after the connection is destroyed.
    this.#cork();
    this.#release();
  }

  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#turn.send(() => this.#release());
  }

  /** The pieces in which a tunnel delivers a body leave in one write. */
  #cork(): void {
    this.#hold();
    if (this.#socket !== null) return;
    // Not the response's own cork: it forgets to say `drain` when what it held back went out at once.
    this.#socket = this.#res.socket;
    this.#socket?.cork();
  }

  /** The end of the turn: a head whose body has not come yet goes alone (event streams, long polls). */
  #release(): void {
    const socket = this.#socket;
    this.#held = false;
    this.#socket = null;
    if (this.ended || this.#res.destroyed) return;
    // Not by node's `flushHeaders`, which writes what is beyond ASCII in UTF-8, as nobody said it. A head without a body goes
    // with its end.
    if (this.bytesOut === 0 && !this.#bodyless) this.#res.write('', 'latin1');
    socket?.uncork();
  }
}
