// Health and metrics on a loopback listener of their own: no header or address on the people's listener leads here.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface HealthParts {
  /** What keeps the gateway from serving, in words; empty when it serves. */
  ailments(): readonly string[] | Promise<readonly string[]>;
  metrics(): string | Promise<string>;
  /** What will keep it from serving some day, in words. */
  warnings?(): readonly string[];
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
  // Browsers can be made to call loopback addresses; they cannot leave out their Origin or a foreign Host.
  const host = request.headers.host?.replace(/:\d+$/, '');
  const local = host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
  if (!local || request.headers.origin !== undefined)
    return send(403, 'text/plain', 'only for this machine\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'GET only\n');
  if (request.url === '/livez') return send(200, 'text/plain', 'ok\n');
  if (request.url === '/metrics') return send(200, 'text/plain; version=0.0.4', await parts.metrics());
  if (request.url === '/readyz') {
    const ailments = await parts.ailments();
    const body = `${JSON.stringify({ ready: ailments.length === 0, ailments, warnings: parts.warnings?.() })}\n`;
    return send(ailments.length === 0 ? 200 : 503, 'application/json', body);
  }
  send(404, 'text/plain', 'there are /livez, /readyz and /metrics\n');
}
