// All that serves one app, and the choice among it for each request: healthy before doubtful, then the fewest streams
// under way, then the quickest. A session that sticks stays with its connector for as long as that is healthy.
import type { CarryingConnector } from './relay.ts';
import { Route } from './route.ts';
import type { Tunnel } from './tunnel.ts';

/** Sessions whose connector is remembered, for each app; of the oldest only the same guess as at first is left. */
const REMEMBERED = 50_000;

/** What is known of a request when its tunnel is chosen. */
export interface Wish {
  /** Tunnels that failed it already. */
  readonly tried: readonly Tunnel[];
  /** It can be sent again if its tunnel fails. */
  readonly replayable: boolean;
  /** The session that is to stay with one connector. */
  readonly stick?: string | undefined;
  /** Keys of the connectors that may carry it, where not all may. */
  readonly only?: ReadonlySet<string> | undefined;
}

export class Serving {
  #routes: readonly Route[] = [];
  readonly #clock: () => number;
  readonly #random: () => number;
  /** Session to the connector it was given: name and instance. */
  readonly #bound = new Map<string, readonly [connector: string, instance: string]>();

  /** `clock`: monotonic milliseconds; `random`: 0 to 1, evenly. */
  constructor(clock: () => number, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether some tunnel takes a request now. */
  get ready(): boolean {
    return this.#routes.some((route) => route.tunnel([]) !== undefined);
  }

  /** Connectors' tunnels that take a request now, without another gateway in between; the idlest first. */
  get own(): readonly Tunnel[] {
    return this.#routes
      .toSorted((a, b) => a.streams - b.streams)
      .flatMap((route) => route.tunnels.filter(({ session, relay }) => session.ready && !relay))
      .toSorted((a, b) => Number(a.session.silent) - Number(b.session.silent));
  }

  /** Connectors whose tunnels take a request now, each certificate once. */
  get peers(): CarryingConnector[] {
    const found = new Map<string, CarryingConnector>();
    for (const { session, peer } of this.#routes.flatMap(({ tunnels }) => tunnels)) {
      const { connector: name, key, address } = peer;
      if (session.ready && key !== undefined) found.set(key, { name, key, address });
    }
    return [...found.values()];
  }

  /** Adds a tunnel to its connector's route, which is returned. */
  add(tunnel: Tunnel): Route {
    const { connector, instance } = tunnel;
    let route = this.#find(connector, instance);
    if (route === undefined) {
      route = new Route(connector, instance, this.#clock);
      this.#routes = [...this.#routes, route];
    }
    route.add(tunnel);
    return route;
  }

  #find(connector: string, instance: string): Route | undefined {
    return this.#routes.find((route) => route.connector === connector && route.instance === instance);
  }

  /** No new requests for this tunnel. */
  remove(tunnel: Tunnel): void {
    for (const route of this.#routes) route.remove(tunnel);
    this.#routes = this.#routes.filter((route) => route.tunnels.length > 0);
  }

  choose(wish: Wish): Tunnel | undefined {
    return wish.stick === undefined ? this.#best(wish) : this.#stuck(wish, wish.stick);
  }

  /** A connector that failed this request already is asked again only if there is no other: its tunnels often go together. */
  #best({ tried, replayable, only }: Wish): Tunnel | undefined {
    const routes = this.#routes;
    const count = routes.length;
    if (count === 1) return routes[0]?.tunnel(tried, only);
    // Starting anywhere, so that several gateways do not all begin with the same one.
    const start = Math.floor(this.#random() * count);
    let best: Tunnel | undefined;
    let route: Route | undefined;
    let rank = 0;
    for (let i = 0; i < count; i++) {
      const other = routes[(start + i) % count] as Route;
      const tunnel = other.tunnel(tried, only);
      if (tunnel === undefined) continue;
      const otherRank = rankOf(other, tunnel, tried, replayable);
      if (route !== undefined && !(otherRank < rank || (otherRank === rank && better(other, route))))
        continue;
      best = tunnel;
      route = other;
      rank = otherRank;
    }
    if (rank === TRIAL) route?.asked();
    return best;
  }

  #stuck(wish: Wish, session: string): Tunnel | undefined {
    const bound = this.#bound.get(session);
    const known = bound === undefined ? undefined : this.#find(...bound);
    const same = known === undefined ? undefined : healthy(known, wish);
    if (same !== undefined) {
      known?.asked();
      return same;
    }
    let route: Route | undefined;
    let best: Tunnel | undefined;
    for (const other of this.#routes) {
      const tunnel = healthy(other, wish);
      if (tunnel === undefined || (route !== undefined && !closer(session, other, route))) continue;
      route = other;
      best = tunnel;
    }
    // Nobody healthy is left: whoever answers will do, and nothing is remembered of it.
    if (route === undefined) return this.#best(wish);
    route.asked();
    this.#bound.delete(session);
    this.#bound.set(session, [route.connector, route.instance]);
    if (this.#bound.size > REMEMBERED) this.#bound.delete(this.#bound.keys().next().value ?? '');
    return best;
  }
}

const TRIAL = 0;

/** Lower is better. */
function rankOf(
  route: Route,
  { session, relay }: Tunnel,
  tried: readonly Tunnel[],
  replayable: boolean,
): number {
  if (tried.length > 0 && tried.some((tunnel) => route.tunnels.includes(tunnel))) return 5;
  const { standing } = route;
  if (standing === 'trial' && replayable) return TRIAL;
  // A way round through another gateway: only when there is none from here that is healthy.
  const round = relay ? 1 : 0;
  return (standing === 'good' && !session.silent ? 1 : 3) + round;
}

function better(route: Route, best: Route): boolean {
  const fewer = best.streams - route.streams;
  return fewer > 0 || (fewer === 0 && route.latency < best.latency);
}

/** One that is on trial counts for what can be sent again: otherwise it would never be found out that it is back. */
function healthy(route: Route, { tried, replayable, only }: Wish): Tunnel | undefined {
  if (!route.named || tried.some((tunnel) => route.tunnels.includes(tunnel))) return undefined;
  const { standing } = route;
  if (standing !== 'good' && !(standing === 'trial' && replayable)) return undefined;
  const tunnel = route.tunnel(tried, only);
  return tunnel === undefined || tunnel.session.silent ? undefined : tunnel;
}

/**
 * Whether the session belongs to `route` rather than to `best`: highest random weight (Thaler and Ravishankar, 1998),
 * so that gateways agree without asking each other. By name first: a connector that restarts gets its sessions back.
 */
function closer(session: string, route: Route, best: Route): boolean {
  const difference = weight(session, route.connector) - weight(session, best.connector);
  if (difference !== 0) return difference > 0;
  return weight(session, route.instance) > weight(session, best.instance);
}

/** FNV-1a, 32 bits, with a last mix, since the ends of names differ least. */
function weight(session: string, name: string): number {
  const text = `${session} ${name}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
