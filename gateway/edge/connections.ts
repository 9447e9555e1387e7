// What a client's connection shows: its address, its TLS handshake, and the words for both in events.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Countries } from '#gateway/context/countries';
import { type NetworkFacts, networkFacts } from '#gateway/context/facts';
import type { RequestRefused } from '#siem/event';
import type { HttpRequest, Peer } from '#siem/parties';
import { canonicalAddress } from './address.ts';
import type { CleanRequest } from './front.ts';
import { REFUSALS, type Refusal } from './refusals.ts';

interface ConnectionFacts {
  readonly client: Peer;
  readonly network: NetworkFacts;
}

export class Connections {
  readonly #countries: Countries;
  readonly #known = new WeakMap<object, ConnectionFacts>();

  constructor(countries: Countries) {
    this.#countries = countries;
  }

  /** Gathered once a connection: none of it can change while it lives. */
  facts({ socket }: IncomingMessage): ConnectionFacts {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const network = networkFacts(canonicalAddress(socket.remoteAddress), this.#countries);
    const { address, country } = network;
    const tls = tlsFacts(socket as TLSSocket);
    const facts = { network, client: { address, port: socket.remotePort, country, tls } };
    this.#known.set(socket, facts);
    return facts;
  }

  /** What is known of an address that is not this connection's. */
  network(address: string): NetworkFacts {
    return networkFacts(address, this.#countries);
  }

  serverName({ socket }: IncomingMessage): string | false {
    const { servername } = socket as TLSSocket & { servername?: string | false };
    return servername === undefined || servername === '' ? false : servername;
  }

  httpFacts(request: IncomingMessage, clean: CleanRequest): HttpRequest {
    const length = Number(request.headers['content-length']);
    return {
      method: clean.method,
      host: clean.host,
      port: request.socket.localPort,
      path: clean.path,
      query: clean.query === '' ? undefined : clean.query.slice(1),
      httpVersion: request.httpVersion,
      userAgent: request.headers['user-agent'],
      referrer: request.headers.referer,
      bodyBytes: Number.isSafeInteger(length) ? length : undefined,
    };
  }

  refusal(request: IncomingMessage, code: Refusal): RequestRefused {
    const { host } = request.headers;
    const { client } = this.facts(request);
    return {
      kind: 'request-refused',
      code,
      status: REFUSALS[code],
      client,
      host,
      method: request.method,
      target: request.url,
    };
  }
}

function tlsFacts(socket: TLSSocket): Peer['tls'] {
  // A plain socket has no TLS methods; only tests and the loopback listener have those.
  if (typeof socket.getProtocol !== 'function') return undefined;
  const serverName = (socket as TLSSocket & { servername?: string | false }).servername;
  return {
    version: socket.getProtocol() ?? undefined,
    cipher: socket.getCipher()?.standardName,
    serverName: serverName === false ? undefined : serverName,
    certificateSha256: socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
