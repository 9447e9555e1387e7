// One app as the connector's own configuration names it: where it is, and the connections kept to it. The address is
// fixed here; nothing that comes through a tunnel can change it, not even by a redirect or a Host header.
import { X509Certificate } from 'node:crypto';
import { connect as netConnect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import { serverIdentity } from '../wire/server-identity.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { hearOut } from './last-words.ts';

export interface AppTarget {
  /** Origin only: `http://127.0.0.1:3000`. */
  readonly url: string;
  /** PEM of the only authority accepted for an https app; the system's authorities if absent. */
  readonly ca?: string;
  /** The name that the app's certificate must have; the URL's host if absent. */
  readonly serverName?: string;
  /** The one URI its certificate must have, in the place of a name. */
  readonly spiffeId?: string;
  /** What an https app is shown. */
  readonly client?: ClientCertificate;
  /** Milliseconds for the response head. */
  readonly headTimeout: number;
}

/** Milliseconds to open a connection, TLS included. */
const CONNECT_TIMEOUT = 10_000;
/** Milliseconds an unused connection is kept: less than the 5 s after which node servers close theirs. */
const KEEP_ALIVE = 4000;
const MAX_RESPONSE_HEAD = 64 * 1024;

/** The check of an X509-SVID's name (SPIFFE X509-SVID, section 5); TLS has verified its chain. */
function hasId(wanted: string): NonNullable<ConnectionOptions['checkServerIdentity']> {
  return (_host, { raw }) => {
    const certificate = new X509Certificate(raw);
    const names = certificate.subjectAltName?.split(', ').filter((name) => name.startsWith('URI:')) ?? [];
    if (!certificate.ca && names.length === 1 && names[0] === `URI:${wanted}`) return undefined;
    return new Error(`the app's certificate is not that of ${wanted}`);
  };
}

export type Dialled = (error: Error | null, socket?: Socket) => void;

export class App {
  readonly id: string;
  readonly headTimeout: number;
  /** Of the URL, for `Host` where the request has none. */
  readonly origin: URL;
  /** Given with each request, or the pool would take the name to verify from the request's Host. */
  readonly serverName: string;
  readonly #target: AppTarget;
  /** Undefined for a TCP app: each of its connections is one person's. */
  readonly #pool: Pool | undefined;
  readonly #upgraded = new Set<Socket>();

  constructor(id: string, target: AppTarget) {
    this.id = id;
    this.headTimeout = target.headTimeout;
    this.#target = target;
    this.origin = new URL(target.url);
    this.serverName = target.serverName ?? this.#host;
    if (this.origin.protocol === 'tcp:') return;
    this.#pool = new Pool(this.origin, {
      // One connection for each request under way, as many as the tunnel may have streams: a cap here would let
      // a few event streams block the app for everybody.
      connections: null,
      pipelining: 1,
      allowH2: false,
      connect: (_options, callback) => this.dial(callback as Dialled),
      keepAliveTimeout: KEEP_ALIVE,
      headersTimeout: target.headTimeout,
      // Silence in the middle is the gateway's to judge: event streams and long polls may be silent.
      bodyTimeout: 0,
      maxHeaderSize: MAX_RESPONSE_HEAD,
    });
  }

  /** Without the brackets of an IPv6 literal. */
  get #host(): string {
    return this.origin.hostname.replace(/^\[|\]$/g, '');
  }

  /** Thumbprint of the client certificate it is shown. */
  get certificate(): string | undefined {
    return this.#target.client?.thumbprint;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (this.#pool === undefined) throw new Error(`${this.id} is a TCP app and carries no requests`);
    this.#pool.dispatch(options, handler);
  }

  /** Opens a connection to the configured address, whatever the caller was asked for. */
  dial(callback: Dialled): void {
    const secure = this.origin.protocol === 'https:';
    const address = { host: this.#host, port: Number(this.origin.port) || (secure ? 443 : 80) };
    const { ca, client, spiffeId } = this.#target;
    const servername = /^[\d.]+$|:/.test(this.serverName) ? '' : this.serverName;
    const socket = secure
      ? tlsConnect({
          ...address,
          servername,
          ALPNProtocols: ['http/1.1'],
          // TLS asks for no address: without a name the runtime would go by the host of the URL.
          checkServerIdentity: (_host, shown) => serverIdentity(this.serverName, shown),
          // In a list, or an empty one would mean the system's.
          ...(ca === undefined ? {} : { ca: [ca] }),
          ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
          ...(spiffeId === undefined ? {} : { checkServerIdentity: hasId(spiffeId) }),
        })
      : // Of TCP each direction ends by itself, also the app's first.
        netConnect({ ...address, allowHalfOpen: this.#pool === undefined });
    hearOut(socket);
    socket.setNoDelay(true);
    // An app's machine that is gone says nothing: a stream that only listens would never know.
    socket.setKeepAlive(true, 10_000, 3_000, 3);
    // The pool takes a reset for the end of a body without length: only by its own code is it a failure to it. By that code
    // a connection that never came about is dialled again at once and without end, so it keeps the system's.
    let connected = false;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (connected && this.#pool !== undefined && error.code === 'ECONNRESET') error.code = 'UND_ERR_SOCKET';
    });
    const timeout = setTimeout(() => {
      socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT / 1000} s`));
    }, CONNECT_TIMEOUT);
    const settle = (error: Error | null): void => {
      clearTimeout(timeout);
      socket.off('error', settle);
      connected = error === null;
      if (error === null) callback(null, socket);
      else callback(error);
    };
    socket.once('error', settle);
    socket.once(secure ? 'secureConnect' : 'connect', () => settle(null));
  }

  /** A socket that was taken out of HTTP: closed with the app, never pooled. */
  keepUpgraded(socket: Socket): void {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  async close(): Promise<void> {
    for (const socket of this.#upgraded) socket.destroy();
    await this.#pool?.destroy();
  }
}
