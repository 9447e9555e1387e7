// Brings a checked request to a hono app and its answer back. Only our own small pages and APIs come this way;
// nothing that is proxied does.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Our forms and API bodies are far smaller. */
const BODY_LIMIT = 64 * 1024;

/** What hono apps here need: `fetch` with bindings of their own. */
export interface WebApp<Bindings> {
  fetch(request: Request, bindings: Bindings): Response | Promise<Response>;
}

/** Answers `incoming` from `app`. `url` is absolute and canonical; the raw request target is not used again. */
export async function serveOwn<Bindings>(
  app: WebApp<Bindings>,
  url: string,
  bindings: Bindings,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const method = incoming.method ?? 'GET';
  const body = method === 'GET' || method === 'HEAD' ? undefined : await readBody(incoming);
  if (body === null) {
    outgoing.writeHead(413, {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      Connection: 'close',
    });
    outgoing.end(
      JSON.stringify({ error: 'body-too-large', message: `The body is over ${BODY_LIMIT} bytes.` }),
    );
    return;
  }
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '');
  }
  const request = new Request(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const response = await app.fetch(request, bindings);
  const sent: string[] = [];
  for (const [name, value] of response.headers) if (name !== 'set-cookie') sent.push(name, value);
  for (const cookie of response.headers.getSetCookie()) sent.push('Set-Cookie', cookie);
  outgoing.writeHead(response.status, sent);
  outgoing.end(response.body === null ? undefined : Buffer.from(await response.arrayBuffer()));
}

/** The body, or null if it is too large. */
async function readBody(incoming: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
