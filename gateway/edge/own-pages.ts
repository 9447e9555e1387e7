// Brings a checked request to a hono app and its answer back. Only our own small pages and APIs come this way;
// nothing that is proxied does.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OWN_HEADERS } from '#gateway/portal/page';
import { ANSWER_TIMEOUT, OWN_BODY } from './limits.ts';

/** What hono apps here need: `fetch` with bindings of their own. */
export interface WebApp<Bindings> {
  fetch(request: Request, bindings: Bindings): Response | Promise<Response>;
}

/** Answers `incoming`, whose body has at most `limit` bytes, from `app`. `url` is absolute and canonical; the raw request target is not used again. */
export async function serveOwn<Bindings>(
  app: WebApp<Bindings>,
  url: string,
  bindings: Bindings,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  limit: number = OWN_BODY,
): Promise<void> {
  const method = incoming.method ?? 'GET';
  const body = method === 'GET' || method === 'HEAD' ? undefined : await readBody(incoming, limit);
  if (body === null) {
    outgoing.writeHead(413, { ...OWN_HEADERS, 'Content-Type': 'application/json', Connection: 'close' });
    outgoing.setTimeout(ANSWER_TIMEOUT);
    outgoing.end(JSON.stringify({ error: 'body-too-large', message: `The body is over ${limit} bytes.` }));
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
  outgoing.setTimeout(ANSWER_TIMEOUT);
  outgoing.end(response.body === null ? undefined : Buffer.from(await response.arrayBuffer()));
}

/** The body, or null if it is too large. Rejects when the client goes away. */
export function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | null>();
  const chunks: Buffer[] = [];
  let size = 0;
  // Flowing, so that the listener sees a body that trickles.
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else resolve(null);
  });
  incoming.once('end', () => resolve(Buffer.concat(chunks)));
  incoming.once('error', reject);
  incoming.once('close', () => reject(new Error('the client went away')));
  return promise;
}
