// One TCP connection to an app through the gateway, decided there when it opens and again while it lives.
import type { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import WebSocket from 'ws';
import { MAX_PIPE_MESSAGE, WebSocketPipe } from '../wire/pipe.ts';
import { CONNECT_PATH, CONNECT_SUBPROTOCOL } from '../wire/terminal.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceState } from './key-store.ts';
import { provenHeaders } from './proof.ts';
import { parsed } from './transport.ts';

const HANDSHAKE_TIMEOUT = 20_000;
const REPLY_LIMIT = 64 * 1024;

/** The connection was not made. `message` is the gateway's own sentence, or what the network said. */
export class ConnectError extends Error {
  readonly code: 'not-signed-in' | 'denied' | 'app-unreachable' | 'gateway-unreachable' | 'no-certificates';
  /** The decision's reference, to ask an administrator about. */
  readonly reference: string | undefined;
  constructor(code: ConnectError['code'], message: string, reference?: string) {
    super(message);
    this.code = code;
    this.reference = reference;
  }
}

/** Opens a connection to `app`, from a device of this portal with its proof. Throws ConnectError, TpmError. */
export async function connectTo(
  app: string,
  credentials: Credentials,
  agent: Agent,
  device?: DeviceState,
): Promise<Duplex> {
  const url = new URL(CONNECT_PATH + encodeURIComponent(app), credentials.portal);
  const authorization = await authorized('GET', url.href, credentials, device);
  url.protocol = 'wss:';
  const ws = new WebSocket(url, CONNECT_SUBPROTOCOL, {
    agent,
    headers: { ...authorization, accept: 'application/json' },
    perMessageDeflate: false,
    maxPayload: MAX_PIPE_MESSAGE,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
  });
  return new Promise((resolve, reject) => {
    ws.once('open', () => resolve(new WebSocketPipe(ws)));
    ws.on('error', (error) =>
      reject(new ConnectError('gateway-unreachable', `${credentials.portal}: ${error.message}`)),
    );
    ws.once('unexpected-response', (request, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < REPLY_LIMIT) text += chunk;
      });
      response.once('close', () => {
        reject(refusal(response.statusCode ?? 0, parsed(text), credentials.portal));
        request.destroy();
      });
    });
  });
}

/** The header fields by which a request is the person's, and from a device of this portal that device's. */
export async function authorized(
  method: 'GET' | 'POST',
  url: string,
  { portal, token }: Credentials,
  device: DeviceState | undefined,
): Promise<Record<string, string>> {
  if (device === undefined || device.portal !== portal) return { authorization: `Bearer ${token}` };
  return provenHeaders(device, { method, url, token }, Date.now());
}

/** What an answer other than the one hoped for says. */
export function refusal(status: number, body: unknown, portal: string): ConnectError {
  const { message, reference } = (body ?? {}) as Record<string, unknown>;
  const words = typeof message === 'string' ? message : `${portal} answered ${status}`;
  const quoted = typeof reference === 'string' ? reference : undefined;
  if (status === 401) {
    return new ConnectError(
      'not-signed-in',
      `Your sign-in has ended. Run: sallyport login --portal ${portal}`,
    );
  }
  // The gateway is of an earlier version, or nobody signs for that app.
  if (status === 404) return new ConnectError('no-certificates', words, quoted);
  if (status === 403) return new ConnectError('denied', words, quoted);
  return new ConnectError(
    status === 502 || status === 504 ? 'app-unreachable' : 'gateway-unreachable',
    words,
    quoted,
  );
}
