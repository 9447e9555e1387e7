// What the rest of the gateway sees of the tunnels: the words for carrying one decided request to a connector
// and for how that ended. Types only; it must never decide who may reach an app.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type WebSocket from 'ws';

/** The request head exactly as the app will get it. The relay adds nothing and takes nothing else from the client. */
export interface ForwardHead {
  readonly method: string;
  /** Origin form with the query (`/a?b`), forwarded byte for byte. */
  readonly path: string;
  /**
   * Flat `name, value, …`, cleaned of hop-by-hop fields and complete, `Host` included. `Content-Length` stays if the
   * client sent one; `Transfer-Encoding` and `Connection` are regenerated from the frames. An upgrade keeps `Upgrade`.
   */
  readonly headers: readonly string[];
  /**
   * Fields added once the way is chosen, since they are bound to it. `certificate`: thumbprint of the client certificate
   * that the connector shows the app, where it has one.
   */
  bound?(certificate: string | undefined): readonly string[];
}

/** How an exchange ended. `closed` is the gateway's own wish (revocation, drain), `failed` has a `failure`. */
export type RelayOutcome = 'completed' | 'client-aborted' | 'closed' | 'failed';

/** Stable failure codes. Those of `timeout` kind are a 504, `overloaded` and `draining` a 503, the others a 502. */
export type RelayFailure =
  /** No connector that serves the app is connected. */
  | 'no-connector'
  /** The tunnel broke while the exchange was on it. */
  | 'connector-lost'
  /** The connector does not serve the app, or would not take the stream. */
  | 'connector-refused'
  /** The connector could not open a connection to the app. */
  | 'app-unreachable'
  /** The app did not answer in time, or went silent in the middle. */
  | 'app-timeout'
  /** The app broke the exchange, or answered something that is not HTTP. */
  | 'app-error'
  /** The head cannot be carried: illegal bytes, or larger than the limits of the protocol. */
  | 'bad-head'
  /** The gateway holds as many unread bytes as it may. */
  | 'overloaded';

export interface RelayResult {
  readonly outcome: RelayOutcome;
  readonly failure?: RelayFailure | undefined;
  /** For logs: the connector's or our own words. Never show it to a client. */
  readonly detail?: string | undefined;
  /** False: nothing was written to the client, so the caller renders the answer. */
  readonly headSent: boolean;
  readonly status?: number | undefined;
  /** Body bytes from the client, and to it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The connector that carried the (last) attempt. */
  readonly connector?: string | undefined;
}

/** One exchange under way. */
export interface Relay {
  /** Never rejects. */
  readonly done: Promise<RelayResult>;
  /** Whose tunnel carries it, or carried the last attempt; undefined before there is one. */
  readonly carrier: TunnelPeer | undefined;
  /** Ends the stream at both sides, for example on revocation. The client's connection is destroyed once a head is out. */
  close(reason: string): void;
}

export interface RelayOptions {
  /** The sanitised response head just before it is written, informational ones too; the list may be edited in place. */
  onHead?(status: number, headers: string[]): void;
  /** The client waits for `100 Continue` (node's `checkContinue`): the relay sends it once a connector has the stream. */
  expectContinue?: boolean;
  /** Requests with the same word go through the same connector for as long as that is healthy. */
  stick?: string | undefined;
  /** Keys of the connectors that may carry it, where not all may: no other does, and no other gateway's link. */
  only?: ReadonlySet<string> | undefined;
}

/** Who dialled in, as proved by the connectors' listener, and what the configuration lets it serve. */
export interface TunnelPeer {
  readonly connector: string;
  /** App ids that the gateway's configuration lets this connector serve. */
  readonly apps: ReadonlySet<string>;
  readonly address: string;
  /** Serial number of the client certificate, hexadecimal. */
  readonly serial: string;
  /** Epoch milliseconds at which that ends, and with it the tunnel. */
  readonly notAfter?: number | undefined;
  /** SHA-256 of the client certificate's SubjectPublicKeyInfo, hex; absent for another gateway. */
  readonly key?: string;
  /** It is another gateway, which relays to tunnels of its own: used when there is no tunnel here. */
  readonly relay?: boolean;
  /** Of another gateway: whether the configuration here lets a connector behind it serve an app. */
  serves?(app: string, connector: string): boolean;
}

/** An app that some connector serves, and the client certificate it shows the app, by thumbprint. */
export interface Offer {
  readonly app: string;
  readonly certificate: string | undefined;
  /** That connector and its run, where others are to choose among several; any that serves the app if absent. */
  readonly by?: { readonly connector: string; readonly instance: string };
}

/** A connector by its certificate. */
export interface CarryingConnector {
  readonly name: string;
  readonly address: string;
  /** As in `TunnelPeer`. */
  readonly key: string;
}

/** A connected tunnel, after its hello. */
export interface ConnectorStatus {
  readonly connector: string;
  /** Tells this tunnel apart from others of the connector. */
  readonly link: string;
  /** The run of the connector, by its own word: the same on each of its tunnels. */
  readonly instance: string;
  readonly address: string;
  readonly serial: string;
  /** Apps it serves: what it offered and the configuration allows. */
  readonly apps: readonly string[];
  /** Those of them that it could not reach when it was asked last. */
  readonly failing: readonly string[];
  /** What it says it runs. An unproved word: for display only. */
  readonly software: string;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  readonly streams: number;
  /** Milliseconds; absent until measured. */
  readonly rtt?: number;
  readonly draining: boolean;
}

/** Of the gateway's own to a connector. */
export interface Question {
  /** The id under which connectors answer it. */
  readonly app: string;
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  /** Bytes that an answer may have. */
  readonly limit: number;
  /** Gives it up. */
  readonly signal: AbortSignal;
}

/** Never half of an answer. */
export type Answered =
  | { readonly ok: true; readonly status: number; readonly body: Buffer }
  | { readonly ok: false; readonly failure: RelayFailure; readonly detail: string };

/** The gateway's side of all tunnels, as `gateway/flow.ts` and the connectors' listener use it. */
export interface TunnelRelays {
  /** Takes over a WebSocket of subprotocol `sallyport.v1` whose peer has been authenticated. */
  accept(ws: WebSocket, peer: TunnelPeer): void;
  /** Whether some connected, not draining tunnel serves the app. */
  available(app: string): boolean;
  /**
   * A gateway that has just started, and whose connectors have not found it again: resolves when one that serves the app
   * has, or when it is no longer likely. Undefined when there is nothing to wait for.
   */
  coming(app: string): Promise<void> | undefined;
  connectors(): readonly ConnectorStatus[];
  /** The connectors that would take a request for the app now, each certificate once; without other gateways. */
  serving(app: string): readonly CarryingConnector[];
  /** Cuts all tunnels of a connector at once; says how many there were. */
  disconnect(connector: string, why: string): number;
  relay(
    app: string,
    req: IncomingMessage,
    res: ServerResponse,
    head: ForwardHead,
    options?: RelayOptions,
  ): Relay;
  /** `head` is what node's `upgrade` event gave: bytes the client sent right behind its request. */
  upgrade(
    app: string,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    forward: ForwardHead,
    options?: RelayOptions,
  ): Relay;
  /** A TCP connection. `join` gives the person's side; it is called once the connector has the app on the line. */
  connect(app: string, join: () => Promise<Duplex>, options?: Pick<RelayOptions, 'stick' | 'only'>): Relay;
  /** Asks a connector itself. Never rejects. */
  ask(question: Question): Promise<Answered>;
  /**
   * Sends the connectors elsewhere and waits for what is open in their tunnels, up to the grace. Then calls `cut` with what
   * is left of it, and cuts. In milliseconds.
   */
  drain(graceMs: number, cut?: (leftMs: number) => unknown): Promise<void>;
}
