// The listener people and their programs reach: HTTPS with strict limits. It knows nothing of who or where to.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { OWN_HEADERS } from '#gateway/portal/page';
import { Crowd } from './crowd.ts';
import { type Exchange, upgradeExchange } from './exchange.ts';
import { Farewell } from './farewell.ts';
import { hangUp } from './hang-up.ts';
import {
  CHECK_INTERVAL,
  type ConnectionLimits,
  HANDSHAKE_TIMEOUT,
  HEADER_BYTES,
  HEADERS_TIMEOUT,
  KEEP_ALIVE,
} from './limits.ts';
import { owed } from './owed.ts';
import { hasBody } from './request-body.ts';
import { SlowBodies } from './slow-bodies.ts';
import { speakHttp1, TLS_SETTINGS } from './tls.ts';
import { afterAnswers, Turns } from './turns.ts';
import { readOn } from './unread-body.ts';
import { Vanished } from './vanished.ts';
import { isViolation, TIMED_OUT } from './violation.ts';

export interface PeopleHandlers {
  take(exchange: Exchange): void;
  /** The parser gave up; the socket gets a bare answer and is closed. `code` is Node's. */
  unparsable(socket: Duplex, code: string): void;
}

/** Asks clients for certificates, which whoever takes the request has to verify. */
export interface ClientCertificates extends SecureContextOptions {
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
}

export interface PeopleListener {
  readonly server: Server;
  readonly farewell: Farewell;
}

export function peopleListener(
  certificate: { cert: string; key: string },
  limits: ConnectionLimits,
  handlers: PeopleHandlers,
  clients: ClientCertificates | undefined = undefined,
): PeopleListener {
  const server = createServer({
    ...certificate,
    ...TLS_SETTINGS,
    ...clients,
    // No h2: nobody has shown yet that its stream resets stay within a budget.
    ALPNCallback: speakHttp1,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT,
    // Node would cut every upload at a fixed time; `SlowBodies` tells those that move from those that do not.
    requestTimeout: 0,
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
  const clock = (): number => performance.now();
  const crowd = new Crowd(limits, clock);
  crowd.attend(server);
  const sockets = (): Iterable<Socket> => crowd.sockets();
  new Vanished({ clock, sockets }).attend(server);
  const refused = new WeakSet<Duplex>();
  const last = new WeakSet<Duplex>();
  /** Their last answer is given, and the rest of its request is read. */
  const over = new WeakSet<Duplex>();
  /** Refused as soon as what came before is answered. */
  const doomed = new WeakSet<Duplex>();
  const turns = new Turns();
  const refuse = (socket: Duplex, code: string): void => {
    refused.add(socket);
    handlers.unparsable(socket, code);
  };
  // Whatever was written now would pass for the answer to a request before.
  const cut = (socket: Duplex, code: string): void => {
    socket.destroy();
    refuse(socket, code);
  };
  const refuseInTurn = (socket: Duplex, code: string): void => {
    if (doomed.has(socket)) return;
    doomed.add(socket);
    afterAnswers(socket, () => {
      doomed.delete(socket);
      // What came behind a connection's last request is none, and nobody is left to be told.
      if (socket.writable) refuse(socket, code);
    });
  };
  const bodies = new SlowBodies(({ socket }) => refuseInTurn(socket, TIMED_OUT));
  bodies.attend(server);

  const begin = (request: IncomingMessage, response: ServerResponse, expectContinue = false): void => {
    const { socket } = request;
    // The rest of a request that was refused already is none, and nothing that comes behind a connection's last request
    // (RFC 9112 section 9.6): it would be done, and nobody told what came of it.
    if (refused.has(socket) || last.has(socket)) return;
    if (!crowd.engage(socket, request)) {
      cut(socket, 'ERR_HTTP_TOO_MANY_PIPELINED');
      return;
    }
    response.once('close', () => crowd.rest(socket));
    bodies.watch(request);
    readOn(request, () => {
      last.add(socket);
      over.add(socket);
    });
    const admitted = hasBody(request) ? { admitted: () => crowd.admit(request) } : {};
    turns.wait(request, response, () => {
      if (refused.has(socket) || last.has(socket)) return;
      handlers.take({ request, response, ...(expectContinue ? { expectContinue } : {}), ...admitted });
      if (!response.shouldKeepAlive) last.add(socket);
    });
  };
  server.on('request', begin);
  server.on('checkContinue', (request, response) => begin(request, response, true));
  server.on('checkExpectation', begin);
  // An upgraded connection counts as busy to its end.
  server.on('upgrade', (request, socket, head) => {
    if (refused.has(socket) || last.has(socket)) return;
    if (owed(socket) !== undefined || !crowd.engage(socket)) return cut(socket, 'ERR_HTTP_UPGRADE_PIPELINED');
    handlers.take(upgradeExchange(request, socket, head));
  });
  server.on('connect', (_request, socket) => (owed(socket) === undefined ? refuse : cut)(socket, 'CONNECT'));
  server.on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
    // A connection that broke off asked for nothing; and one refusal is enough, whatever else is sent down the line.
    if (refused.has(socket) || over.has(socket) || !isViolation(code, socket)) {
      socket.destroy();
      return;
    }
    refuseInTurn(socket, code);
  });
  return { server, farewell: new Farewell(server, sockets) };
}

const BARE: Readonly<
  Record<string, readonly [status: string, refusal: 'timeout' | 'header-size' | 'method' | 'parse']>
> = {
  [TIMED_OUT]: ['408 Request Timeout', 'timeout'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'header-size'],
  CONNECT: ['405 Method Not Allowed', 'method'],
};

const BARE_HEADERS = Object.entries(OWN_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** Answers a connection whose bytes are no request, and ends it. Returns what to record. */
export function refuseBare(socket: Duplex, code: string): 'timeout' | 'header-size' | 'method' | 'parse' {
  const [status, refusal] = BARE[code] ?? ['400 Bad Request', 'parse'];
  // A second head in the body of an answer would be taken for a part of it.
  if (socket.writable && owed(socket)?.headersSent !== true)
    hangUp(socket, `HTTP/1.1 ${status}\r\n${BARE_HEADERS}Connection: close\r\nContent-Length: 0\r\n\r\n`);
  else socket.destroy();
  return refusal;
}
