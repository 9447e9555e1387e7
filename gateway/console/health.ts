// Health and metrics on a loopback listener of their own: no header or address on the people's listener leads here.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** In words, for whoever runs it. */
export interface Condition {
  /** What keeps the gateway from serving; empty when it serves. */
  readonly ailments: readonly string[];
  /** What will keep it from serving some day. */
  readonly warnings: readonly string[];
}

export interface HealthParts {
  condition(): Condition | Promise<Condition>;
  metrics(): string | Promise<string>;
}

/** Milliseconds for which a question may take. */
const PATIENCE = 5_000;

export function healthListener(parts: HealthParts): Server {
  return createServer(
    { maxHeaderSize: 4096, headersTimeout: PATIENCE, requestTimeout: PATIENCE },
    (request, response) => {
      answer(request, response, parts).catch(() => response.destroy());
    },
  );
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: HealthParts): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  // Browsers can be made to call loopback addresses; they cannot leave out their Origin or a foreign Host. A balancer's
  // check in HTTP/1.0, such as haproxy's, has none.
  const host = request.headers.host?.replace(/:\d+$/, '');
  const local = host === undefined || host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
  if (!local || request.headers.origin !== undefined)
    return send(403, 'text/plain', 'only for this machine\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'GET only\n');
  if (request.url === '/livez') return send(200, 'text/plain', 'ok\n');
  if (request.url === '/metrics') return send(200, 'text/plain; version=0.0.4', await parts.metrics());
  if (request.url === '/readyz') {
    const { ailments, warnings } = await parts.condition();
    const ready = ailments.length === 0;
    return send(ready ? 200 : 503, 'application/json', `${JSON.stringify({ ready, ailments, warnings })}\n`);
  }
  send(404, 'text/plain', 'there are /livez, /readyz and /metrics\n');
}
