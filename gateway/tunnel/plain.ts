// A TCP connection through a tunnel: joined to the person's only once the connector has one to the app. It must never
// let a connection that broke look like one that ended.
import type { Duplex } from 'node:stream';
import type { ResetCode } from '#connectors/wire/error';
import { Splice } from '#connectors/wire/splice';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import { Ending } from './ending.ts';
import type { Choose } from './exchange.ts';
import { endOfSplice, failureOf } from './failure.ts';
import type { Relay, RelayFailure, RelayOutcome, RelayResult, TunnelPeer } from './relay.ts';
import type { Tunnel } from './tunnel.ts';

const NOTHING: Buffer = Buffer.alloc(0);

export class Plain implements StreamHandler, Relay {
  readonly #ending = new Ending();
  readonly #join: () => Promise<Duplex>;
  #tunnel: Tunnel | undefined;
  #stream: Stream | undefined;
  #pipe: Duplex | undefined;
  #splice: Splice | undefined;
  #joined = false;

  /** `join` gives the person's side; it is called once the app's side is there. */
  constructor(app: string, join: () => Promise<Duplex>, choose: Choose) {
    this.#join = join;
    const tunnel = choose([], false);
    if (tunnel === undefined || tunnel.overloaded) {
      this.#finish('failed', tunnel === undefined ? 'no-connector' : 'overloaded');
      return;
    }
    this.#tunnel = tunnel;
    this.#stream = tunnel.open('tcp', app, '', false, this);
  }

  /** The connector has the app on the line. Until the person is joined, the app's bytes wait within the window. */
  onHead(_head: unknown, fin: boolean): void {
    if (fin) this.#early.push({ piece: NOTHING, fin });
    const stream = this.#stream as Stream;
    this.#joined = true;
    this.#join().then(
      (pipe) => {
        this.#pipe = pipe;
        if (this.#ending.over) {
          pipe.destroy();
          return;
        }
        const splice = new Splice(pipe, stream, NOTHING, (end, why) =>
          this.#finish(...endOfSplice(end, why)),
        );
        this.#splice = splice;
        stream.handler = splice;
        for (const { piece, fin } of this.#early.splice(0)) splice.onData(piece, fin);
      },
      (error: Error) => {
        stream.reset('cancelled', error.message);
        this.#finish('client-aborted', undefined, error.message);
      },
    );
  }

  readonly #early: { readonly piece: Buffer; readonly fin: boolean }[] = [];

  onData(piece: Buffer, fin: boolean): void {
    this.#early.push({ piece, fin });
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    this.#finish('failed', failureOf(code), detail);
  }

  onIdle(): void {
    this.#stream?.reset('cancelled', 'idle');
    this.#finish('failed', 'app-timeout', 'no connection to the app');
  }

  onInfo(): void {}
  onTrailers(): void {}
  onWritable(): void {}

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
  }

  #finish(outcome: RelayOutcome, failure?: RelayFailure, detail?: string): void {
    if (this.#ending.over) return;
    if (outcome !== 'completed') this.#pipe?.destroy();
    const bytesIn = this.#splice?.bytesRead ?? 0;
    const bytesOut = this.#splice?.bytesWritten ?? 0;
    const connector = this.#tunnel?.peer.connector;
    const carried = { headSent: this.#joined, bytesIn, bytesOut, connector };
    this.#ending.tell(carried, outcome, failure, detail);
  }
}
