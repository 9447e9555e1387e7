// A link to another gateway, dialled by this one: over it the other one opens streams to apps that only this one has
// a tunnel for. Mutual TLS with certificates of the installation's own authority.

import { DialError, dial } from '#connectors/link/dial';
import { renewalTime } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { DEFAULT_LIMITS, TICK_MS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import { overWebSocket } from '#connectors/wire/transport';
import type { Offer } from '#gateway/tunnel/relay';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { helloOf, opener } from './offered.ts';

export const RELAY_PATH = '/v1/relay';

export interface RelayLinkOptions {
  /** The other gateway's name. */
  readonly gateway: string;
  /** The other gateway's listener for connectors, https. */
  readonly address: URL;
  readonly identity: Identity;
  /** What this gateway has a tunnel for. */
  readonly offers: readonly Offer[];
  /** Names this process. */
  readonly instance: string;
  /** A tunnel of our own for what was offered. */
  choose(offer: Offer): Tunnel | undefined;
  /** The other gateway has welcomed it, and may open streams. */
  onReady(link: RelayLink): void;
  /** The end of one that was welcomed. */
  onClose(link: RelayLink, why: string): void;
}

export class RelayLink {
  readonly gateway: string;
  readonly offers: readonly Offer[];
  readonly #session: Session;
  readonly #ticker: NodeJS.Timeout;

  /** When another is to take its place: with its certificate it ends. Epoch milliseconds. */
  readonly renewAt: number;

  private constructor(
    options: RelayLinkOptions,
    ws: Awaited<ReturnType<typeof dial>>,
    { resolve, reject }: PromiseWithResolvers<void>,
  ) {
    this.gateway = options.gateway;
    this.offers = options.offers;
    this.renewAt = renewalTime(options.identity);
    let welcome = false;
    const { offers, instance, choose } = options;
    this.#session = new Session({
      ...{ transport: overWebSocket(ws), limits: DEFAULT_LIMITS, budget: { held: 0 } },
      clock: () => performance.now(),
      greeting: { hello: helloOf(offers, instance) },
      onReady: () => {
        welcome = true;
        options.onReady(this);
        resolve();
      },
      onOpen: opener(offers, choose),
      onGoaway: () => undefined,
      onClose: (_code, why) => {
        clearInterval(this.#ticker);
        if (welcome) options.onClose(this, why);
        else reject(new DialError('refused', `${options.address.origin} ended the link: ${why}`));
      },
    });
    this.#ticker = setInterval(() => this.#session.tick(), TICK_MS).unref();
  }

  /** Dials, and resolves when the link is there. Throws DialError. */
  static async open(options: RelayLinkOptions): Promise<void> {
    const ws = await dial(options.address, options.identity, RELAY_PATH);
    const welcome = Promise.withResolvers<void>();
    new RelayLink(options, ws, welcome);
    await welcome.promise;
  }

  /** Takes no more streams and ends with the last one. */
  goAway(): void {
    this.#session.goAway();
  }

  end(): void {
    this.#session.end('going-away', 'the gateway stops');
  }
}
