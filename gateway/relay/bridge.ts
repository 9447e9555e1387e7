// Joins a stream that another gateway opened here to one on a tunnel of ours, frame for frame. It decides nothing: the
// other gateway has decided and recorded, and its certificate was checked when it dialled. Nothing is held here beyond
// the window of either stream.
import { HeadError, type ResetCode } from '#connectors/wire/error';
import { encodeRequest, type ResponseHead } from '#connectors/wire/head';
import type { OpenRequest } from '#connectors/wire/open';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import type { Tunnel } from '#gateway/tunnel/tunnel';

/** One direction's end: passes what comes from `from` on to `to`. */
class Passage implements StreamHandler {
  readonly #kind: OpenRequest['kind'];
  from: Stream | undefined;
  to: Stream | undefined;
  #owed = 0;

  constructor(kind: OpenRequest['kind']) {
    this.#kind = kind;
  }

  onHead({ status, reason, headers }: ResponseHead, fin: boolean): void {
    if (this.#kind === 'tcp') {
      this.to?.accept();
      if (fin) this.to?.end();
    } else {
      this.#encoded(() => this.to?.head(status, reason, headers, fin));
    }
  }

  onInfo({ status, headers }: ResponseHead): void {
    this.#encoded(() => this.to?.info(status, headers));
  }

  onData(piece: Buffer, fin: boolean): void {
    if (this.to?.closed !== false || this.to.write(piece)) this.from?.consume(piece.length);
    else this.#owed += piece.length;
    if (fin) this.to?.end();
  }

  onTrailers(trailers: string[]): void {
    this.#encoded(() => this.to?.endWithTrailers(trailers));
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    // What was written before it still goes out; then the other side hears that nobody listens any more.
    if (code === 'done') this.to?.stop();
    else this.to?.reset(code === 'lost' ? 'refused' : code, detail);
  }

  /** Called on the passage whose `from` can write again: what waited to go there is owed to the other side. */
  onWritable(): void {
    this.opposite?.pay();
  }

  opposite: Passage | undefined;

  pay(): void {
    const owed = this.#owed;
    this.#owed = 0;
    this.from?.consume(owed);
  }

  onIdle(): void {}

  #encoded(send: () => void): void {
    try {
      send();
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.from?.reset('bad-head', error.message);
      this.to?.reset('bad-head', error.message);
    }
  }
}

/** Carries the stream `inbound` of another gateway, which is for `app`, on `tunnel`. */
export function bridge(
  inbound: Stream,
  app: string,
  request: OpenRequest,
  fin: boolean,
  tunnel: Tunnel,
): StreamHandler {
  const there = new Passage(request.kind);
  const back = new Passage(request.kind);
  there.opposite = back;
  back.opposite = there;
  const head =
    request.kind === 'tcp'
      ? ''
      : encodeRequest(request.request.method, request.request.path, request.request.headers);
  const outbound = tunnel.open(request.kind, app, head, fin, back);
  // The gateway that decided watches the time.
  outbound.idleLimit = 0;
  there.from = inbound;
  there.to = outbound;
  back.from = outbound;
  back.to = inbound;
  return there;
}
