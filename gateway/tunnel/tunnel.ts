// One connected tunnel as the gateway sees it: who is at its other end, and the routes to apps that it is part of.
import { randomUUID } from 'node:crypto';
import type { ResetCode } from '#connectors/wire/error';
import type { Kind } from '#connectors/wire/frame';
import { encodeRequest } from '#connectors/wire/head';
import type { Hello } from '#connectors/wire/hello';
import { openPrefix } from '#connectors/wire/open';
import type { Session } from '#connectors/wire/session';
import type { Stream, StreamHandler } from '#connectors/wire/stream';
import type { ConnectorStatus, ForwardHead, TunnelPeer } from './relay.ts';
import { UnderWay } from './under-way.ts';

/** How an app is doing by way of this connector. */
export interface Health {
  readonly failing: boolean;
  answered(ms: number): void;
  failed(): void;
}

export class Tunnel {
  readonly peer: TunnelPeer;
  readonly session: Session;
  /** What it offered and the configuration allows. */
  readonly apps: readonly string[];
  /** The run of the connector: the same on each of its tunnels. */
  readonly instance: string;
  /** Tells it apart from the other tunnels of its connector, in events. */
  readonly link: string = randomUUID().slice(0, 8);
  /** By app, while it takes new requests. */
  readonly routes: Map<string, Health> = new Map();
  /** Whom it leads to, as far as that is known: `peer.connector`, or a connector behind that gateway. */
  readonly connector: string;
  readonly #software: string;
  /** What OPEN names, where that is not the app's own id. */
  readonly #ids: ReadonlyMap<string, string> | undefined;
  /** Of another gateway's link, which is shared by all that is behind it. */
  readonly #underWay = new UnderWay();
  readonly #certificates: ReadonlyMap<string, string>;
  readonly #connectedAt: number;
  readonly #prefixes = new Map<string, Buffer>();

  constructor(
    peer: TunnelPeer,
    session: Session,
    apps: readonly string[],
    { instance, software, certificates = {} }: Pick<Hello, 'instance' | 'software' | 'certificates'>,
    connectedAt: number,
    behind?: { readonly connector: string; readonly ids: ReadonlyMap<string, string> },
  ) {
    this.peer = peer;
    this.connector = behind?.connector ?? peer.connector;
    this.#ids = behind?.ids;
    this.session = session;
    this.apps = apps;
    this.instance = instance;
    this.#software = software;
    this.#certificates = new Map(Object.entries(certificates));
    this.#connectedAt = connectedAt;
  }

  /** It leads through another gateway. */
  get relay(): boolean {
    return this.peer.relay === true;
  }

  /** It is known which connector answers. */
  get named(): boolean {
    return !this.relay || this.#ids !== undefined;
  }

  /** Streams under way to whom it leads to. */
  get streams(): number {
    return this.relay ? this.#underWay.count : this.session.streams;
  }

  /** Opens a stream; only while `session.ready`. */
  open(kind: Kind, app: string, head: string, fin: boolean, handler: StreamHandler): Stream {
    const key = `${kind} ${app}`;
    let prefix = this.#prefixes.get(key);
    if (prefix === undefined) {
      prefix = openPrefix(kind, this.#ids?.get(app) ?? app);
      this.#prefixes.set(key, prefix);
    }
    const stream = this.session.open(prefix, head, fin, handler, this.session.limits.idleSeconds);
    if (this.relay) this.#underWay.add(stream);
    return stream;
  }

  /**
   * Thumbprint of the client certificate that the connector shows the app, by its own word: a false one makes assertions
   * that no connection of its own fits.
   */
  certificate(app: string): string | undefined {
    return this.#certificates.get(app);
  }

  /** What is sent of a request on this tunnel. @throws {HeadError} */
  head(app: string, { method, path, headers, bound }: ForwardHead): string {
    return encodeRequest(method, path, headers, bound?.(this.certificate(app)));
  }

  /** The gateway holds as many unread bytes as it may. */
  get overloaded(): boolean {
    const { budget, limits } = this.session;
    return budget.held > limits.maxHeld;
  }

  /** A response head of the app came after this many milliseconds. */
  answered(app: string, ms: number): void {
    this.routes.get(app)?.answered(ms);
  }

  /**
   * A stream for the app ended before its head. What is the tunnel's own fault says nothing about the app; a gateway that
   * refuses has lost the connector, and will say so by another link.
   */
  failed(app: string, code: ResetCode | 'lost'): void {
    const gone = code === 'refused' && this.relay;
    if (gone || code === 'app-unreachable' || code === 'unknown-app') this.routes.get(app)?.failed();
  }

  status(): ConnectorStatus {
    const { connector, address, serial } = this.peer;
    const { rtt } = this.session.pace;
    const failing = this.apps.filter((app) => this.routes.get(app)?.failing);
    return {
      ...{ connector, link: this.link, instance: this.instance, address, serial, apps: this.apps, failing },
      software: this.#software,
      ...{ connectedAt: this.#connectedAt, streams: this.session.streams, draining: this.session.draining },
      ...(rtt === undefined ? undefined : { rtt }),
    };
  }
}
