// One connected tunnel as the gateway sees it: who is at its other end, what it may serve, how quick it answers.
import type { Kind } from '#connectors/wire/frame';
import { openPrefix } from '#connectors/wire/open';
import type { Session } from '#connectors/wire/session';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import type { ConnectorStatus, TunnelPeer } from './relay.ts';

/** Weight of the newest answer in the moving average. */
const EWMA = 0.1;

export class Tunnel {
  readonly peer: TunnelPeer;
  readonly session: Session;
  /** What it offered and the configuration allows. */
  readonly apps: readonly string[];
  readonly #software: string;
  readonly #connectedAt: number;
  readonly #prefixes = new Map<string, Buffer>();
  /** Milliseconds to a response head, averaged. */
  latency = 0;

  constructor(
    peer: TunnelPeer,
    session: Session,
    apps: readonly string[],
    software: string,
    connectedAt: number,
  ) {
    this.peer = peer;
    this.session = session;
    this.apps = apps;
    this.#software = software;
    this.#connectedAt = connectedAt;
  }

  /** Opens a stream; only while `session.ready`. */
  open(kind: Kind, app: string, head: string, fin: boolean, handler: StreamHandler): Stream {
    const key = `${kind} ${app}`;
    let prefix = this.#prefixes.get(key);
    if (prefix === undefined) {
      prefix = openPrefix(kind, app);
      this.#prefixes.set(key, prefix);
    }
    return this.session.open(prefix, head, fin, handler, this.session.limits.idleSeconds);
  }

  /** The gateway holds as many unread bytes as it may. */
  get overloaded(): boolean {
    const { budget, limits } = this.session;
    return budget.held > limits.maxHeld;
  }

  /** Fewer streams under way, or as many and quicker. */
  betterThan(other: Tunnel): boolean {
    const fewer = other.session.streams - this.session.streams;
    return fewer > 0 || (fewer === 0 && this.latency < other.latency);
  }

  /** A response head came after this many milliseconds. */
  answered(ms: number): void {
    this.latency += EWMA * (ms - this.latency);
  }

  status(): ConnectorStatus {
    const { connector, address, serial } = this.peer;
    const { rtt } = this.session.pace;
    return {
      ...{ connector, address, serial, apps: this.apps, software: this.#software },
      ...{ connectedAt: this.#connectedAt, streams: this.session.streams, draining: this.session.draining },
      ...(rtt === undefined ? undefined : { rtt }),
    };
  }
}
