// All of a connector's tunnels: several to each of its gateways, each kept up by itself, so that the loss of one says
// nothing to the others.
import { type Limits, TICK_MS } from '../wire/limits.ts';
import type { Log } from '../wire/log.ts';
import type { Budget } from '../wire/stream.ts';
import type { Identity } from './identity.ts';
import { Line, type LineOptions } from './line.ts';
import { Renewal } from './renewal.ts';

export interface LinkOptions {
  readonly gateways: readonly URL[];
  /** Tunnels to each gateway. */
  readonly tunnels: number;
  readonly name: string;
  readonly identity: Identity;
  readonly offer: LineOptions['offer'];
  readonly limits: Limits;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** A renewed identity, to be kept; the tunnels are dialled anew with it when this resolves. */
  onIdentity(identity: Identity): Promise<void>;
}

export class Link {
  /** Resolves when the first tunnel to any gateway is up. */
  readonly ready: Promise<void>;
  readonly #lines: readonly { readonly gateway: URL; readonly line: Line }[];
  readonly #renewal: Renewal;
  readonly #ticker: NodeJS.Timeout;
  #seconds = 0;

  constructor(options: LinkOptions) {
    const { gateways, tunnels, name, log, now, random } = options;
    const budget: Budget = { held: 0 };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#renewal = new Renewal({
      ...{ name, identity: options.identity, log, now, random },
      gateways: () => this.#likeliest(),
      onIdentity: async (identity) => {
        await options.onIdentity(identity);
        this.replace();
      },
    });
    const identity = (): Identity => this.#renewal.identity;
    this.#lines = gateways.flatMap((gateway) =>
      Array.from({ length: tunnels }, () => ({
        gateway,
        line: new Line({ ...options, gateway, identity, budget, onUp: resolve }),
      })),
    );
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#seconds += 1;
    for (const { line } of this.#lines) line.tick(this.#seconds);
    this.#renewal.tick();
  }

  /** Gateways to which there is a tunnel come first. */
  #likeliest(): URL[] {
    const up = this.#lines.filter(({ line }) => line.up);
    return [...new Set([...up, ...this.#lines].map(({ gateway }) => gateway))];
  }

  /** What the next dial shows. */
  get identity(): Identity {
    return this.#renewal.identity;
  }

  /** New tunnels, with the identity and the offer of now, then goodbye to the old ones: nothing is dropped. */
  replace(): void {
    for (const { line } of this.#lines) line.replace();
  }

  /** Takes no new streams, lets open ones finish for up to `graceMs`, then cuts. */
  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#lines.map(({ line }) => line.close(graceMs)));
    clearInterval(this.#ticker);
  }

  /** Breaks what is open at once, also while it closes. */
  cut(): void {
    for (const { line } of this.#lines) line.cut();
  }
}
