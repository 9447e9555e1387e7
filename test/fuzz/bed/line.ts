// A connection without a network: what a client says is pushed in, what it is answered is kept.
import { Duplex } from 'node:stream';

const silent = (): void => {};

/** A client's connection, already through TLS. */
export class Line extends Duplex {
  readonly servername: string | false;
  readonly remoteAddress = '192.0.2.44';
  readonly remotePort = 4444;
  readonly localPort = 443;
  readonly encrypted = true;
  bytesRead = 0;
  #over = false;
  text = '';

  constructor(servername: string | false) {
    super({ allowHalfOpen: true, emitClose: true });
    this.servername = servername;
    this.on('error', silent);
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.text.length < 100_000) this.text += chunk.toString('latin1');
    done();
  }
  override _final(done: () => void): void {
    done();
    // As a client that answers FIN with FIN.
    this.#over = true;
    this.push(null);
  }
  say(bytes: Buffer): void {
    this.bytesRead += bytes.length;
    if (!this.destroyed && !this.#over) this.push(bytes);
  }
  destroySoon(): void {
    this.end();
  }

  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  get statuses(): number[] {
    return [...this.text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
  }
}
