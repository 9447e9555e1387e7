// Dials one tunnel: a WebSocket over TLS with certificates on both sides. It must never go on without a server whose
// certificate the one known authority issued for the name that was dialled.
import WebSocket from 'ws';
import { SUBPROTOCOL, WEBSOCKET_OPTIONS } from '../wire/limits.ts';
import { outboundAgent } from '../wire/outbound.ts';
import { tlsFailure } from '../wire/tls-failure.ts';
import type { Identity } from './identity.ts';

/** Milliseconds for all of it, a proxy on the way included: whoever is slow with each step is slow, too. */
const HANDSHAKE_TIMEOUT = 10_000;

export type DialFailure = 'unreachable' | 'refused' | 'untrusted';

/** Why a dial failed; `message` names the gateway and the cause. */
export class DialError extends Error {
  readonly code: DialFailure;

  constructor(code: DialFailure, message: string) {
    super(message);
    this.name = 'DialError';
    this.code = code;
  }
}

const NOT_ADMITTED =
  ': this connector’s certificate is not admitted. If it was revoked or has expired, remove identity.pem from its state directory and start it with a new token (--token-file)';
const HINTS: Readonly<Record<number, string>> = {
  401: NOT_ADMITTED,
  403: NOT_ADMITTED,
  503: ': it takes no tunnel at this moment',
};

/** TLS already hides the bytes from everything in between, which is all that masking is for (RFC 6455 section 10.3). */
function zeroMask(mask: Buffer): void {
  mask.fill(0);
}

/** An open tunnel socket. `gateway`: an https origin. @throws {DialError} */
export function dial(
  gateway: URL,
  { ca, certificate, key }: Identity,
  path: string = '/v1/tunnel',
): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const url = new URL(path, gateway);
  if (url.protocol !== 'https:')
    throw new TypeError(`tunnels are dialled over https only, not ${gateway.href}`);
  url.protocol = 'wss:';
  const ws = new WebSocket(url, SUBPROTOCOL, {
    ...WEBSOCKET_OPTIONS,
    ...{ ca, cert: certificate, key, minVersion: 'TLSv1.3', rejectUnauthorized: true },
    agent: outboundAgent(),
    generateMask: zeroMask,
  });
  const timer = setTimeout(() => {
    const seconds = HANDSHAKE_TIMEOUT / 1000;
    reject(new DialError('unreachable', `${gateway.origin}: no tunnel within ${seconds} s`));
    ws.terminate();
  }, HANDSHAKE_TIMEOUT);
  ws.on('error', (error: NodeJS.ErrnoException) => {
    const tls = error.code !== undefined && /CERT|ERR_TLS|ERR_SSL|SELF_SIGNED/.test(error.code);
    reject(new DialError(tls ? 'untrusted' : 'unreachable', `${gateway.origin}: ${tlsFailure(error)}`));
  });
  ws.once('unexpected-response', (request, response) => {
    response.resume();
    request.destroy();
    const hint = HINTS[response.statusCode ?? 0] ?? '';
    reject(new DialError('refused', `${gateway.origin} answered ${response.statusCode}${hint}`));
  });
  ws.once('open', () => resolve(ws));
  return promise.finally(() => clearTimeout(timer));
}
