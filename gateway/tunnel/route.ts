// One connector's way to one app: the tunnels that lead there, how quick it answers, and whether it reaches the app
// at all. It knows nothing of other connectors.
import type { Tunnel } from './tunnel.ts';

/** Weight of the newest answer in the moving average. */
const EWMA = 0.1;
/**
 * Milliseconds in which an average without new answers loses half of its weight: a connector that was slow once is
 * asked again, and must not be judged by that for ever.
 */
const HALF_LIFE = 10_000;
/** Milliseconds for which a way that did not reach its app is left alone: the first time, and at most. */
const FIRST_REST = 1_000;
const LONGEST_REST = 30_000;

/** Better first. A way that is on trial is only for requests that can be sent again. */
export type Standing = 'trial' | 'good' | 'doubtful';

export class Route {
  readonly connector: string;
  /** The run of the connector: the same on each of its tunnels. */
  readonly instance: string;
  readonly #clock: () => number;
  #tunnels: readonly Tunnel[] = [];
  #latency = 0;
  #answeredAt = 0;
  #failures = 0;
  #restUntil = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(connector: string, instance: string, clock: () => number) {
    this.connector = connector;
    this.instance = instance;
    this.#clock = clock;
  }

  get tunnels(): readonly Tunnel[] {
    return this.#tunnels;
  }

  /** It is known which connector this is. */
  get named(): boolean {
    return this.#tunnels[0]?.named === true;
  }

  add(tunnel: Tunnel): void {
    this.#tunnels = [...this.#tunnels, tunnel];
  }

  remove(tunnel: Tunnel): void {
    this.#tunnels = this.#tunnels.filter((other) => other !== tunnel);
  }

  /** Streams under way on all its tunnels, whatever app they are for. */
  get streams(): number {
    let streams = 0;
    for (const tunnel of this.#tunnels) streams += tunnel.streams;
    return streams;
  }

  /** Milliseconds to a response head, averaged; what is long ago counts for less. */
  get latency(): number {
    if (this.#latency === 0) return 0;
    return this.#latency * 0.5 ** ((this.#clock() - this.#answeredAt) / HALF_LIFE);
  }

  /** Whether it failed to reach the app, and has not answered since. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  get standing(): Standing {
    if (this.#failures === 0) return 'good';
    return this.#clock() >= this.#restUntil ? 'trial' : 'doubtful';
  }

  /**
   * The best of its tunnels that takes streams and is not among `tried`; one that fell silent only if there is no other,
   * and of the others one through another gateway only if there is none from here.
   * `only`: keys of the certificates that are good for it, where not all are.
   */
  tunnel(tried: readonly Tunnel[], only?: ReadonlySet<string>): Tunnel | undefined {
    let best: Tunnel | undefined;
    for (const tunnel of this.#tunnels) {
      const { session, peer } = tunnel;
      if (!session.ready || tried.includes(tunnel)) continue;
      if (only !== undefined && (peer.key === undefined || !only.has(peer.key))) continue;
      if (best === undefined || beats(tunnel, best)) best = tunnel;
    }
    return best;
  }

  /** A request goes this way. One that is on trial is tried only this once, until there is an answer. */
  asked(): void {
    if (this.failing) this.#rest();
  }

  /** A response head came after this many milliseconds. */
  answered(ms: number): void {
    this.#failures = 0;
    const before = this.latency;
    this.#latency = before === 0 ? ms : before + EWMA * (ms - before);
    this.#answeredAt = this.#clock();
  }

  /** The connector could not reach the app, or does not serve it. */
  failed(): void {
    this.#failures += 1;
    this.#rest();
  }

  #rest(): void {
    const pause = Math.min(LONGEST_REST, FIRST_REST * 2 ** Math.min(10, Math.max(0, this.#failures - 1)));
    this.#restUntil = this.#clock() + pause;
  }
}

/** Streams that a tunnel may have more than another one, and still be the one for a request that goes along with others. */
const ALONG = 16;

/** Requests of one turn leave together: spread over all tunnels, each would cost a write of its own at both ends. */
function beats({ session, relay }: Tunnel, { session: best, relay: round }: Tunnel): boolean {
  if (session.silent !== best.silent) return best.silent;
  if (relay !== round) return round;
  const ahead = session.batch.pending === best.batch.pending ? 0 : session.batch.pending ? ALONG : -ALONG;
  return session.streams < best.streams + ahead;
}
