// All tunnels of this gateway: takes them over after authentication, picks one for each request, and lets them go.
// A tunnel serves only apps that both its connector's hello and the gateway's configuration name.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type WebSocket from 'ws';
import type { GoawayCode } from '#connectors/wire/error';
import type { Hello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, type Limits, TICK_MS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import type { Budget } from '#connectors/wire/stream';
import { overWebSocket, type Transport } from '#connectors/wire/transport';
import { Arrivals } from './arrivals.ts';
import { type Choose, Exchange } from './exchange.ts';
import { Inquiry } from './inquiry.ts';
import { Plain } from './plain.ts';
import type {
  Answered,
  CarryingConnector,
  ConnectorStatus,
  ForwardHead,
  Offer,
  Question,
  Relay,
  RelayOptions,
  TunnelPeer,
  TunnelRelays,
} from './relay.ts';
import { Serving } from './serving.ts';
import type { Tunnel } from './tunnel.ts';
import { Turn } from './turn.ts';
import { Upgrade } from './upgrade.ts';
import { offersOf, tunnelsOf } from './ways.ts';

export interface TunnelsOptions {
  /** Epoch milliseconds, for what is shown. */
  readonly now: () => number;
  /** Monotonic milliseconds, for what is measured; `performance.now` if absent. */
  readonly clock?: () => number;
  readonly limits?: Partial<Limits>;
  /** 0 to 1, evenly: breaks ties between tunnels. */
  readonly random: () => number;
  /** What we tell connectors to show; `sallyport` if absent. */
  readonly software?: string;
  /** Shared with the record that comes before whatever is sent; one of its own if left out. */
  readonly turn?: Turn;
  readonly log?: { warn(fields: object, message: string): void };
  /** Whether a client certificate, by its serial number, was revoked: looked at each second. */
  readonly revoked?: (serial: string) => boolean;
  onConnect(info: ConnectorStatus): void;
  /** `reason`: in words, which may be those of the connector. `lost`: streams that ended with it. */
  onDisconnect(info: ConnectorStatus, reason: string, code: GoawayCode, lost: number): void;
}

/** Tunnels that one connector name may have at once. */
const TUNNELS_PER_CONNECTOR = 64;

export class Tunnels implements TunnelRelays {
  readonly #options: TunnelsOptions;
  readonly #limits: Limits;
  readonly #clock: () => number;
  readonly #budget: Budget = { held: 0 };
  readonly #turn: Turn;
  readonly #instance: string = randomUUID();
  /** Every session, also those that have not said hello. */
  readonly #sessions = new Map<Session, string>();
  readonly #tunnels = new Set<Tunnel>();
  readonly #byApp = new Map<string, Serving>();
  readonly #ticker: NodeJS.Timeout;
  #arrivals: Arrivals | undefined;
  #seconds = 0;
  #draining = false;
  #drained: (() => void) | undefined;

  constructor(options: TunnelsOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#turn = options.turn ?? new Turn();
    this.#clock = options.clock ?? (() => performance.now());
    this.#arrivals = new Arrivals(() => {
      this.#arrivals = undefined;
    });
    this.#ticker = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /** Once a second: keep-alive and idle streams, and certificates that ended or were revoked. */
  tick(): void {
    this.#seconds += 1;
    const { now, revoked } = this.#options;
    const at = now();
    for (const { peer, session } of [...this.#tunnels]) {
      if (peer.notAfter !== undefined && peer.notAfter <= at) session.end('refused', 'certificate-expired');
      else if (revoked?.(peer.serial) === true) session.end('refused', 'certificate-revoked');
    }
    // All tunnels of a connector in the same second, but not those of all connectors.
    for (const [session, connector] of [...this.#sessions]) {
      session.tick(this.#seconds + (connector.codePointAt(connector.length - 1) ?? 0));
    }
  }

  accept(ws: WebSocket, peer: TunnelPeer): void {
    this.carry(overWebSocket(ws), peer);
  }

  /** `accept` for any transport. */
  carry(transport: Transport, peer: TunnelPeer): void {
    let tunnels: readonly Tunnel[] | undefined;
    const { window, streams } = this.#limits;
    const software = this.#options.software ?? 'sallyport';
    const session: Session = new Session({
      ...{ transport, limits: this.#limits, budget: this.#budget, clock: this.#clock },
      endOfTurn: this.#turn.send,
      greeting: { welcome: { window, streams, instance: this.#instance, software } },
      onReady: (greeting) => {
        if ('hello' in greeting) tunnels = this.#admit(session, peer, greeting.hello);
      },
      onGoaway: () => {
        for (const tunnel of tunnels ?? []) this.#withdraw(tunnel);
      },
      onClose: (code, why, lost) => {
        this.#sessions.delete(session);
        if (tunnels === undefined) {
          this.#options.log?.warn(
            { connector: peer.connector, code, why },
            'a tunnel ended before its hello',
          );
        }
        for (const tunnel of tunnels ?? []) {
          this.#withdraw(tunnel);
          this.#tunnels.delete(tunnel);
          if (peer.relay !== true) this.#options.onDisconnect(tunnel.status(), why, code, lost);
        }
        if (this.#sessions.size === 0) this.#drained?.();
      },
    });
    this.#sessions.set(session, peer.connector);
    let count = 0;
    for (const name of this.#sessions.values()) if (name === peer.connector) count += 1;
    if (count > TUNNELS_PER_CONNECTOR) session.end('limits', `more than ${TUNNELS_PER_CONNECTOR} tunnels`);
  }

  #admit(session: Session, peer: TunnelPeer, hello: Hello): readonly Tunnel[] {
    const tunnels = tunnelsOf(session, peer, hello, this.#options.now());
    for (const tunnel of tunnels) this.#enter(tunnel);
    if (this.#draining) session.goAway();
    return tunnels;
  }

  #enter(tunnel: Tunnel): void {
    this.#tunnels.add(tunnel);
    for (const app of tunnel.apps) {
      let serving = this.#byApp.get(app);
      if (serving === undefined) {
        serving = new Serving(this.#clock, this.#options.random);
        this.#byApp.set(app, serving);
      }
      tunnel.routes.set(app, serving.add(tunnel));
    }
    this.#arrivals?.here(tunnel.apps);
    if (!tunnel.relay) this.#options.onConnect(tunnel.status());
  }

  /** No new requests for this tunnel. */
  #withdraw(tunnel: Tunnel): void {
    for (const app of tunnel.apps) this.#byApp.get(app)?.remove(tunnel);
    tunnel.routes.clear();
  }

  /** Whoever chooses for one request of an app. */
  #chooser(app: string, { stick, only }: Pick<RelayOptions, 'stick' | 'only'>): Choose {
    return (tried, replayable) => this.#byApp.get(app)?.choose({ tried, replayable, stick, only });
  }

  coming(app: string): Promise<void> | undefined {
    return this.#arrivals?.of(app);
  }

  available(app: string): boolean {
    return this.#byApp.get(app)?.ready === true;
  }

  /** Bytes that came through tunnels and have not gone on to clients yet. */
  get held(): number {
    return this.#budget.held;
  }

  get count(): { readonly connectors: number; readonly tunnels: number } {
    const connectors = new Set(this.#own().map(({ peer, instance }) => `${peer.connector} ${instance}`));
    return { connectors: connectors.size, tunnels: this.#own().length };
  }

  /** Tunnels of connectors, without the links of other gateways. */
  #own(): Tunnel[] {
    return [...this.#tunnels].filter(({ peer }) => peer.relay !== true);
  }

  /** Apps that connectors serve here, and each of these connectors; never another gateway's link. */
  get offers(): readonly Offer[] {
    return [...this.#byApp].flatMap(([app, { own }]) => offersOf(app, own));
  }

  /** A connector's tunnel for what was offered. */
  own({ app, certificate, by }: Offer): Tunnel | undefined {
    return this.#byApp
      .get(app)
      ?.own.find(
        (tunnel) =>
          tunnel.certificate(app) === certificate &&
          (by === undefined || (tunnel.connector === by.connector && tunnel.instance === by.instance)),
      );
  }

  serving(app: string): readonly CarryingConnector[] {
    return this.#byApp.get(app)?.peers ?? [];
  }

  connectors(): readonly ConnectorStatus[] {
    return this.#own().map((tunnel) => tunnel.status());
  }

  /** Whether connectors that this one is not serve the app here. */
  servedWithout(app: string, connector: string): boolean {
    return this.#own().some(
      (tunnel) => tunnel.peer.connector !== connector && tunnel.session.ready && tunnel.apps.includes(app),
    );
  }

  /** Whether other gateways offer their connectors here. */
  get linked(): boolean {
    return this.#tunnels.size > this.#own().length;
  }

  /** Gives a connector no more requests; what it has under way finishes. */
  rest(connector: string): void {
    for (const [session, name] of [...this.#sessions]) if (name === connector) session.goAway();
  }

  disconnect(connector: string, why: string): number {
    let count = 0;
    for (const [session, name] of [...this.#sessions]) {
      if (name !== connector) continue;
      count += 1;
      session.end('refused', why);
    }
    return count;
  }

  relay(
    app: string,
    req: IncomingMessage,
    res: ServerResponse,
    head: ForwardHead,
    options: RelayOptions = {},
  ): Relay {
    return new Exchange(app, req, res, head, this.#chooser(app, options), options, this.#turn);
  }

  upgrade(
    app: string,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    forward: ForwardHead,
    options: RelayOptions = {},
  ): Relay {
    return new Upgrade(app, req, socket, head, forward, this.#chooser(app, options), options, this.#turn);
  }

  connect(
    app: string,
    join: () => Promise<Duplex>,
    options: Pick<RelayOptions, 'stick' | 'only'> = {},
  ): Relay {
    return new Plain(app, join, this.#chooser(app, options));
  }

  ask(question: Question): Promise<Answered> {
    return new Inquiry(question, this.#chooser(question.app, {})).answer;
  }

  async drain(graceMs: number, cut: (leftMs: number) => unknown = () => undefined): Promise<void> {
    this.#draining = true;
    const until = this.#clock() + graceMs;
    for (const session of [...this.#sessions.keys()]) session.goAway();
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      const grace = setTimeout(resolve, graceMs);
      await promise;
      clearTimeout(grace);
    }
    await cut(Math.max(0, until - this.#clock()));
    for (const session of [...this.#sessions.keys()]) session.end('going-away', 'the gateway stops');
    // Whoever waited for what that cut is told in this turn: what is recorded of it comes before our own end.
    await new Promise(setImmediate);
    clearInterval(this.#ticker);
    this.#arrivals?.end();
  }
}
