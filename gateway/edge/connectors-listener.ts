// The listener connectors dial: enrolment with a token, renewal and tunnels with a certificate of our own
// authority. A certificate only says who dials; which apps a connector serves is our configuration's word.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { KEY_PROOF_PATH } from '#connectors/wire/evidence';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '#connectors/wire/limits';
import type { DeviceDesk } from '#gateway/attest/desk';
import { type Refused, TooMany } from '#gateway/inspect/strangers';
import { RELAY_PATH } from '#gateway/relay/link';
import type { Accepts } from './accepts.ts';
import {
  clientAuthorities,
  clientOf,
  identify,
  identifyGateway,
  type KnownConnector,
} from './connector-certificates.ts';
import { answerDevice, isDeviceAction } from './connector-devices.ts';
import {
  API_HEADERS,
  type EnrolmentHandlers,
  enrol,
  offerProof,
  proven,
  renew,
  send,
} from './connector-enrolment.ts';
import { Crowd } from './crowd.ts';
import { hangUp } from './hang-up.ts';
import {
  CHECK_INTERVAL,
  type ConnectionLimits,
  HANDSHAKE_TIMEOUT,
  HEADERS_TIMEOUT,
  REQUEST_TIMEOUT,
} from './limits.ts';
import { owed } from './owed.ts';
import { takeTurns } from './take-turns.ts';
import { speakHttp1, TLS_SETTINGS } from './tls.ts';
import { readOn } from './unread-body.ts';
import { isViolation, TIMED_OUT } from './violation.ts';

const MAX_HEADER = 8192;
export interface ConnectorHandlers extends EnrolmentHandlers {
  /** Enrols the machines that connectors run on, and judges their evidence. */
  readonly devices?: DeviceDesk;
  readonly accepts: Accepts;
  /** Signed revocation lists in PEM. */
  lists?(): string;
  /** Takes over a tunnel; the connector is proven. */
  connected(ws: WebSocket, connector: KnownConnector): void;
  /** Takes over a link of another gateway of this installation; it is proven. */
  linked?(ws: WebSocket, gateway: KnownConnector): void;
}

export function connectorsListener(
  certificate: { cert: string; key: string },
  limits: ConnectionLimits,
  handlers: ConnectorHandlers,
): Server {
  const server = createServer({
    ...certificate,
    ...TLS_SETTINGS,
    minVersion: 'TLSv1.3',
    ALPNCallback: speakHttp1,
    ca: clientAuthorities(handlers.authority),
    requestCert: true,
    // A connector that enrols has no certificate yet; every other route asks `identify`.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
    maxHeaderSize: MAX_HEADER,
  });
  const crowd = new Crowd(limits, () => performance.now());
  crowd.attend(server);
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  /** Their last answer is given, and the rest of its request is read: what comes behind it is none. */
  const last = new WeakSet<Duplex>();
  server.on('request', (request, response) => {
    const { socket } = request;
    if (last.has(socket) || !crowd.engage(socket, request)) return void socket.destroy();
    readOn(request, () => last.add(socket));
    route(request, response, handlers)
      .catch((error: unknown) => {
        if (error instanceof TooMany) send(response, 429, error.code, error.message, error.retryAfter);
        else send(response, 503, 'unavailable', 'Try again shortly.');
      })
      // Not when the answer was taken: who does not read theirs waits like everybody else.
      .finally(() => crowd.rest(socket));
  });
  server.on('upgrade', (request, socket, head) => {
    // Behind a request that is not answered yet: whatever was written now would pass for that one's answer.
    if (owed(socket) !== undefined || last.has(socket)) return void socket.destroy();
    const ofGateway = request.url === RELAY_PATH;
    admit(request, handlers).then(
      (connector) => {
        if (connector === undefined) turnAway(socket, '403 Forbidden');
        else if (ofGateway) {
          crowd.engage(socket);
          sockets.handleUpgrade(request, socket, head, (ws) => handlers.linked?.(ws, connector));
        } else if (!handlers.accepts.take(connector.name)) turnAway(socket, '503 Service Unavailable');
        else {
          // A tunnel counts as busy to its end: strangers cannot push it out.
          crowd.engage(socket);
          sockets.handleUpgrade(request, socket, head, (ws) => {
            handlers.connected(ws, connector);
            takeTurns(socket, () => ws.readyState === ws.OPEN);
          });
        }
      },
      (error: unknown) =>
        turnAway(socket, error instanceof TooMany ? '429 Too Many Requests' : '503 Service Unavailable'),
    );
  });
  const refused = new WeakSet<Duplex>();
  server.on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
    const client = clientOf({ socket: socket as Socket });
    socket.destroy();
    if (!isViolation(code, socket) || refused.has(socket) || last.has(socket)) return;
    refused.add(socket);
    const event = {
      kind: 'connector-refused',
      code: code === TIMED_OUT ? 'timeout' : 'parse',
      client,
    } as const;
    handlers.refused(event).catch(() => {});
  });
  return server;
}

/** A dial that is refused costs a fleet's return nothing but this: it is tried again after a pause of its own choice. */
function turnAway(socket: Duplex, status: string): void {
  hangUp(socket, `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
): Promise<void> {
  const action = `${request.method} ${request.url}`;
  if (action === 'GET /v1/ca') sendPem(response, handlers.authority.bundle);
  else if (action === 'GET /v1/crl') sendPem(response, handlers.lists?.());
  else if (action === 'POST /v1/enrol') await enrol(request, response, handlers);
  else if (action === 'POST /v1/renew') await renew(request, response, handlers);
  else if (action === `POST ${KEY_PROOF_PATH}`) await offerProof(request, response, handlers);
  else if (handlers.devices !== undefined && isDeviceAction(action))
    await attest(action, request, response, handlers, handlers.devices);
  else send(response, 404, 'not-found', 'There is no such address on the connectors’ listener.');
}

/** To anybody who asks: one answer a connection, or a stranger would have us write them without end. */
function sendPem(response: ServerResponse, pem: string | undefined): void {
  const headers = { ...API_HEADERS, 'Content-Type': 'application/x-pem-file', Connection: 'close' };
  response.writeHead(200, headers);
  response.end(pem);
}

/** The machine of a connector enrols or proves its state: whose it is, is the certificate's word. */
async function attest(
  action: string,
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
  devices: DeviceDesk,
): Promise<void> {
  const known = await proven(request, response, handlers, 'Only a connector attests here.');
  if (known === undefined) return;
  const { status, body } = await answerDevice(action, request, known, devices);
  response.writeHead(status, { ...API_HEADERS, 'Content-Type': 'application/json' });
  response.end(body);
}

/** Who dials what; whoever is refused is recorded, other gateways too. */
async function dialled(
  request: IncomingMessage,
  handlers: ConnectorHandlers,
): Promise<KnownConnector | Refused> {
  if (request.url === RELAY_PATH) return identifyGateway(request, handlers);
  if (request.url === '/v1/tunnel') return identify(request, handlers);
  return { kind: 'connector-refused', code: 'wrong-address', client: clientOf(request) };
}

async function admit(
  request: IncomingMessage,
  handlers: ConnectorHandlers,
): Promise<KnownConnector | undefined> {
  const known = await dialled(request, handlers);
  if (!('code' in known)) return known;
  await handlers.refused(known);
  return undefined;
}
