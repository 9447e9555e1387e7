// A link to another gateway, dialled by this one: over it the other one opens streams to apps that only this one has
// a tunnel for. Mutual TLS with certificates of the installation's own authority.

import { DialError, dial } from '#connectors/link/dial';
import { renewalTime } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import type { Hello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, TICK_MS, VERSIONS } from '#connectors/wire/limits';
import type { OpenRequest } from '#connectors/wire/open';
import { Session } from '#connectors/wire/session';
import { IGNORE, type Stream, type StreamHandler } from '#connectors/wire/stream';
import { overWebSocket } from '#connectors/wire/transport';
import type { Offer } from '#gateway/tunnel/relay';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { bridge } from './bridge.ts';

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
    const { window, streams } = DEFAULT_LIMITS;
    const { offers, instance } = options;
    const shown = offers.flatMap(({ app, certificate }) => (certificate ? [[app, certificate]] : []));
    const hello: Hello = {
      ...{ versions: VERSIONS, window, streams, instance, software: 'sallyport' },
      apps: offers.map(({ app }) => app),
      certificates: Object.fromEntries(shown),
    };
    this.#session = new Session({
      ...{ transport: overWebSocket(ws), limits: DEFAULT_LIMITS, budget: { held: 0 } },
      clock: () => performance.now(),
      greeting: { hello },
      onReady: () => {
        welcome = true;
        options.onReady(this);
        resolve();
      },
      onOpen: (stream, request, fin) => open(options, stream, request, fin),
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

function open(options: RelayLinkOptions, stream: Stream, request: OpenRequest, fin: boolean): StreamHandler {
  const offer = options.offers.find(({ app }) => app === request.app);
  // The other gateway bound its assertion to what was offered: another connector's certificate would not fit.
  const tunnel = offer === undefined ? undefined : options.choose(offer);
  if (tunnel !== undefined) return bridge(stream, request, fin, tunnel);
  queueMicrotask(() => stream.reset('refused', 'there is no tunnel for this app here any more'));
  return IGNORE;
}
