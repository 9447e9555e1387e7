// The listener people and their programs reach: HTTPS with strict limits. It knows nothing of who or where to.
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { type Exchange, upgradeExchange } from './exchange.ts';

/** Limits of a connection and a request; milliseconds and bytes. */
const HEADERS_TIMEOUT = 10_000;
/** No limit on a whole request: uploads may be long. An exchange in which nothing moves is cut by its relay. */
const REQUEST_TIMEOUT = 0;
const KEEP_ALIVE = 60_000;
const CHECK_INTERVAL = 2_000;
const HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 20_000;

export const TLS_SETTINGS: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  honorCipherOrder: true,
  // RFC 9325: forward secrecy and AEAD only.
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
};

export interface PeopleHandlers {
  take(exchange: Exchange): void;
  /** The parser gave up; the socket gets a bare answer and is closed. `code` is Node's. */
  unparsable(socket: Duplex, code: string): void;
}

export function peopleListener(certificate: { cert: string; key: string }, handlers: PeopleHandlers): Server {
  const server = createServer({
    ...certificate,
    ...TLS_SETTINGS,
    ALPNProtocols: ['http/1.1', 'http/1.0'],
    handshakeTimeout: HEADERS_TIMEOUT,
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE,
    connectionsCheckingInterval: CHECK_INTERVAL,
    requireHostHeader: false,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Other protocols a client offers to upgrade to are ignored, as RFC 9110 section 7.8 allows.
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
  });
  // The front counts headers itself: Node would cut the list silently and decide on a part.
  server.maxHeadersCount = 0;
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => handlers.take({ request, response }));
  server.on('checkContinue', (request, response) =>
    handlers.take({ request, response, expectContinue: true }),
  );
  server.on('checkExpectation', (request, response) => handlers.take({ request, response }));
  server.on('upgrade', (request, socket, head) => handlers.take(upgradeExchange(request, socket, head)));
  server.on('connect', (_request, socket) => handlers.unparsable(socket, 'CONNECT'));
  const refused = new WeakSet<Duplex>();
  server.on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
    // A connection that broke off asked for nothing; and one refusal is enough, whatever else is sent down the line.
    const answered = refused.has(socket) || !isViolation(code);
    refused.add(socket);
    if (answered) socket.destroy();
    else handlers.unparsable(socket, code);
  });
  return server;
}

function isViolation(code: string): boolean {
  return /^(?:HPE_|ERR_HTTP_)/.test(code) && code !== 'HPE_INVALID_EOF_STATE';
}

const BARE: Readonly<
  Record<string, readonly [status: string, refusal: 'timeout' | 'header-size' | 'method' | 'parse']>
> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'timeout'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'header-size'],
  CONNECT: ['405 Method Not Allowed', 'method'],
};

/** A response is on the line already, for a request before these bytes: a second head in its body would be taken for it. */
function answering(socket: Duplex & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}

/** Answers a connection whose bytes are no request, and ends it. Returns what to record. */
export function refuseBare(socket: Duplex, code: string): 'timeout' | 'header-size' | 'method' | 'parse' {
  const [status, refusal] = BARE[code] ?? ['400 Bad Request', 'parse'];
  if (socket.writable && !answering(socket))
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  else socket.destroy();
  return refusal;
}
