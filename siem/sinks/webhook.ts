// A signed webhook: JSON lines by POST, with an HMAC over time and body, so that the receiver can tell ours from others'
// and an old one from a new one.
import { createHmac } from 'node:crypto';
import { HttpReceiver, type HttpTarget } from './http.ts';
import { DELIVERED, type Shipment, type Sink, type Verdict } from './sink.ts';

export interface WebhookOptions extends HttpTarget {
  readonly name: string;
  readonly secret: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** `t=<epoch seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`: check both, and refuse times more than 5 minutes off. */
export function signature(secret: string, seconds: number, body: Buffer): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex');
  return `t=${seconds},v1=${mac}`;
}

export class WebhookSink implements Sink {
  readonly name: string;
  readonly type = 'webhook';
  readonly #http: HttpReceiver;
  readonly #secret: string;
  readonly #now: () => number;

  constructor(options: WebhookOptions) {
    this.name = options.name;
    this.#http = new HttpReceiver(options);
    this.#secret = options.secret;
    this.#now = options.now;
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const body = Buffer.concat(batch.flatMap(({ line }) => [line, Buffer.from('\n')]));
    const seconds = Math.floor(this.#now() / 1000);
    const headers = {
      'content-type': 'application/x-ndjson',
      'sallyport-signature': signature(this.#secret, seconds, body),
    };
    await this.#http.send('', { headers, body, signal });
    return batch.map(() => DELIVERED);
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}
