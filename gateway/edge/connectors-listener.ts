// The listener connectors dial: enrolment with a token, renewal and tunnels with a certificate of our own
// authority. A certificate only says who dials; which apps a connector serves is our configuration's word.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '#connectors/wire/limits';
import type { DeviceDesk } from '#gateway/attest/desk';
import { type Refused, TooMany } from '#gateway/inspect/strangers';
import { EnrolmentError, isService } from '#gateway/pki/enrolment';
import { type Authority, IssueError } from '#gateway/pki/issued';
import { RELAY_PATH } from '#gateway/relay/link';
import type { Peer, SallyportEvent } from '#siem/event';
import type { Accepts } from './accepts.ts';
import {
  type CertificateParts,
  clientAuthorities,
  clientOf,
  identify,
  identifyGateway,
  type KnownConnector,
  MEANS,
  shownBy,
} from './connector-certificates.ts';
import { answerDevice, isDeviceAction, jsonOf } from './connector-devices.ts';
import { Crowd } from './crowd.ts';
import {
  CHECK_INTERVAL,
  type ConnectionLimits,
  HANDSHAKE_TIMEOUT,
  HEADERS_TIMEOUT,
  REQUEST_TIMEOUT,
} from './limits.ts';
import { speakHttp1, TLS_SETTINGS } from './tls.ts';

/** Of refused enrolments; all others are 403. */
const STATUS: Readonly<Record<string, number>> = {
  'bad-csr': 400,
  'token-malformed': 400,
  'token-used': 409,
  'too-many': 503,
};
const BODY_LIMIT = 16 * 1024;
const MAX_HEADER = 8192;
/** No browser has business here; one that strays in guesses no types and keeps no copy. */
const API_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

export interface ConnectorHandlers extends CertificateParts {
  /** Enrols the machines that connectors run on, and judges their evidence. */
  readonly devices?: DeviceDesk;
  readonly accepts: Accepts;
  /** Signed revocation lists in PEM. */
  lists?(): string;
  /** Takes over a tunnel; the connector is proven. */
  connected(ws: WebSocket, connector: KnownConnector): void;
  /** Takes over a link of another gateway of this installation; it is proven. */
  linked?(ws: WebSocket, gateway: KnownConnector): void;
  /** Writes an event for good; an answer waits for it. */
  record(event: SallyportEvent): Promise<void>;
  /** The same for a refusal. @throws {TooMany} */
  refused(event: Refused): Promise<void>;
}

const enrolBody = z.strictObject({ token: z.string(), csr: z.string() });
const renewBody = z.strictObject({ csr: z.string() });

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
  const crowd = new Crowd(limits);
  crowd.attend(server);
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    crowd.engage(socket);
    response.once('close', () => crowd.rest(socket));
    route(request, response, handlers).catch((error: unknown) => {
      if (error instanceof TooMany) send(response, 429, error.code, error.message, error.retryAfter);
      else send(response, 503, 'unavailable', 'Try again shortly.');
    });
  });
  server.on('upgrade', (request, socket, head) => {
    if (request.url === RELAY_PATH) {
      const gateway = identifyGateway(request, handlers);
      if (gateway === undefined) return turnAway(socket, '403 Forbidden');
      crowd.engage(socket);
      return sockets.handleUpgrade(request, socket, head, (ws) => handlers.linked?.(ws, gateway));
    }
    admit(request, handlers).then(
      (connector) => {
        if (connector === undefined) turnAway(socket, '403 Forbidden');
        else if (!handlers.accepts.take(connector.name)) turnAway(socket, '503 Service Unavailable');
        else {
          // A tunnel counts as busy to its end: strangers cannot push it out.
          crowd.engage(socket);
          sockets.handleUpgrade(request, socket, head, (ws) => handlers.connected(ws, connector));
        }
      },
      (error: unknown) =>
        error instanceof TooMany ? turnAway(socket, '429 Too Many Requests') : socket.destroy(),
    );
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

/** A dial that is refused costs a fleet's return nothing but this: it is tried again after a pause of its own choice. */
function turnAway(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
): Promise<void> {
  const action = `${request.method} ${request.url}`;
  if (action === 'GET /v1/ca') {
    response.writeHead(200, { ...API_HEADERS, 'Content-Type': 'application/x-pem-file' });
    response.end(handlers.authority.bundle);
  } else if (action === 'GET /v1/crl') {
    response.writeHead(200, { ...API_HEADERS, 'Content-Type': 'application/x-pem-file' });
    response.end(handlers.lists?.());
  } else if (action === 'POST /v1/enrol') await enrol(request, response, handlers);
  else if (action === 'POST /v1/renew') await renew(request, response, handlers);
  else if (handlers.devices !== undefined && isDeviceAction(action))
    await attest(action, request, response, handlers, handlers.devices);
  else send(response, 404, 'not-found', 'There is no such address on the connectors’ listener.');
}

async function enrol(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
): Promise<void> {
  const client = clientOf(request);
  const body = await readJson(request, enrolBody);
  if (body === undefined) {
    await handlers.refused({ kind: 'connector-enrolment-refused', code: 'bad-request', client });
    return send(response, 400, 'bad-request', 'Expected JSON with "token" and "csr".');
  }
  try {
    const { name, certificate, serial, notAfter } = await handlers.desk.enrol(body.token, body.csr);
    const issued = { certificate: { serial, notAfter }, client };
    await handlers.record(
      isService(name)
        ? { kind: 'certificate-issued', use: 'service', holder: name, grant: 'enrolment', ...issued }
        : { kind: 'connector-enrolled', connector: { name }, ...issued },
    );
    sendCertificate(response, certificate, handlers.authority, name);
  } catch (error) {
    await refuse(response, error, client, handlers);
  }
}

async function renew(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
): Promise<void> {
  const known = await proven(
    request,
    response,
    handlers,
    'Renewal needs the certificate to be renewed.',
    true,
  );
  if (known === undefined) return;
  const body = await readJson(request, renewBody);
  if (body === undefined) return send(response, 400, 'bad-request', 'Expected JSON with "csr".');
  try {
    const { name, certificate, serial, notAfter } = await handlers.desk.renew(
      known.name,
      body.csr,
      shownBy(request),
    );
    const issued = { certificate: { serial, notAfter }, client: known.client };
    await handlers.record(
      isService(name)
        ? { kind: 'certificate-issued', use: 'service', holder: name, grant: 'renewal', ...issued }
        : { kind: 'connector-renewed', connector: { name }, replaces: known.certificate, ...issued },
    );
    sendCertificate(response, certificate, handlers.authority, name);
  } catch (error) {
    await refuse(response, error, known.client, handlers);
  }
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

/** Who asks; `message` is the answer to one who is no connector of ours. */
async function proven(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: ConnectorHandlers,
  message: string,
  services = false,
): Promise<KnownConnector | undefined> {
  const known = await identify(request, handlers, services);
  if (!('code' in known)) return known;
  await handlers.refused(known);
  send(response, 401, known.code, MEANS[known.code] ?? message);
  return undefined;
}

async function admit(
  request: IncomingMessage,
  handlers: ConnectorHandlers,
): Promise<KnownConnector | undefined> {
  const known: KnownConnector | Refused =
    request.url === '/v1/tunnel'
      ? await identify(request, handlers)
      : { kind: 'connector-refused', code: 'wrong-address', client: clientOf(request) };
  if (!('code' in known)) return known;
  await handlers.refused(known);
  return undefined;
}

async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T | undefined> {
  return schema.safeParse(await jsonOf(request, BODY_LIMIT)).data;
}

async function refuse(
  response: ServerResponse,
  error: unknown,
  client: Peer,
  handlers: ConnectorHandlers,
): Promise<void> {
  if (!(error instanceof EnrolmentError || error instanceof IssueError)) throw error;
  const claimed =
    error instanceof EnrolmentError && error.connector !== undefined ? { name: error.connector } : undefined;
  await handlers.refused({
    kind: 'connector-enrolment-refused',
    code: error.code,
    connector: claimed,
    client,
  });
  send(response, STATUS[error.code] ?? 403, error.code, error.message);
}

function sendCertificate(
  response: ServerResponse,
  certificate: string,
  authority: Authority,
  name: string,
): void {
  response.writeHead(201, { ...API_HEADERS, 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ certificate, chain: authority.bundle, name }));
}

function send(
  response: ServerResponse,
  status: number,
  error: string,
  message: string,
  retryAfter?: number,
): void {
  if (response.headersSent) return;
  const wait = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
  const headers = { ...API_HEADERS, ...wait, 'Content-Type': 'application/json', Connection: 'close' };
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error, message }));
}
