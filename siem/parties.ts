// Who and what events are about: ends of connections, requests, those who act, connectors and certificates.
import type { KeyOrigin, Subject } from '#policy/input';

/** Of a fact that may be left out, or not be known. */
export type Optional<T> = T | undefined;

/** The near end of a connection, as the socket shows it; never what a header claims. */
export interface Peer {
  /** Text form of the address; IPv4-mapped addresses are written as IPv4. Empty if the socket is gone. */
  readonly address: string;
  readonly port?: Optional<number>;
  /** ISO 3166-1 alpha-2; `private` for addresses that have no country. */
  readonly country?: Optional<string>;
  readonly asn?: Optional<number>;
  readonly tls?: Optional<TlsFacts>;
}

/** What the TLS handshake showed. */
export interface TlsFacts {
  /** As Node names it: `TLSv1.3`. */
  readonly version?: Optional<string>;
  readonly cipher?: Optional<string>;
  readonly serverName?: Optional<string>;
  readonly ja4?: Optional<string>;
  /** SHA-256 of the client certificate's DER, hex. */
  readonly certificateSha256?: Optional<string>;
}

/** One HTTP request. Give it as it came: the mapper removes query values and reduces the referrer. */
export interface HttpRequest {
  readonly method: string;
  /** Without port. */
  readonly host: string;
  readonly port?: Optional<number>;
  readonly path: string;
  /** Raw query without `?`; only the names of its parameters are recorded. */
  readonly query?: Optional<string>;
  /** `1.1`, `2`. */
  readonly httpVersion?: Optional<string>;
  readonly userAgent?: Optional<string>;
  /** Raw Referer; only its origin is recorded. */
  readonly referrer?: Optional<string>;
  /** Bytes of the body announced by the client. */
  readonly bodyBytes?: Optional<number>;
}

/** Who did an administrative thing. */
export interface Actor {
  /** `user`: a signed-in admin; `operator`: someone at the command line; `gateway`: the gateway by itself. */
  readonly kind: 'user' | 'operator' | 'gateway';
  readonly id: string;
  readonly name?: Optional<string>;
}

export interface ConnectorRef {
  readonly name: string;
  readonly version?: Optional<string>;
}

export interface CertificateRef {
  /** Serial number, hex. */
  readonly serial: string;
  /** SHA-256 of the DER, hex. */
  readonly sha256?: Optional<string>;
  /** Epoch milliseconds. */
  readonly notAfter?: Optional<number>;
  /** Where its key was proved to be; absent for those of authorities. */
  readonly key?: Optional<KeyOrigin>;
}

/** That a service asks in a person's name: through whom the name came to it, the last one first. */
export interface ActingOf {
  readonly chain: readonly string[];
  readonly person: Subject;
  /** The transaction, the same at every hop. */
  readonly transaction: string;
}
