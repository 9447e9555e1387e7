// The demo's app: a page, an API, a WebSocket and an event stream, on loopback only. It trusts no header but the
// gateway's signed assertion, as every back end should.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, fetch as undiciFetch } from 'undici';
import { WebSocketServer } from 'ws';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { ASSERTION_HEADER, type AssertionClaims, createVerifier } from '#gateway/pki/verify';

export interface AppOptions {
  readonly port: number;
  /** The portal's origin: issuer of assertions, and where its keys are. */
  readonly portal: string;
  /** PEM that the portal's certificate chains to. */
  readonly ca: string;
  /** App ids this server answers as. */
  readonly audiences: readonly string[];
}

/** The claims of a request's assertion; rejects when it has none that is valid here. */
export type Verify = (request: IncomingMessage) => Promise<AssertionClaims>;

export async function startApp(options: AppOptions): Promise<Server> {
  const verify = assertionVerifier(options);
  const notes: string[] = ['The gate has two doors, and they never stand open at once.'];
  const server = createServer((request, response) => {
    verify(request)
      .then((claims) => respond(request, response, claims, notes))
      .catch(() => send(response, 401, { error: 'no valid assertion from the gateway' }));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    verify(request).then(
      (claims) =>
        sockets.handleUpgrade(request, socket, head, (ws) => {
          ws.send(`hello ${claims.name}`);
          ws.on('message', (message, binary) => ws.send(message, { binary }));
        }),
      () => socket.destroy(),
    );
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** What a back end does with `X-Sallyport-Assertion`: verify signature, issuer, audience and times; trust no other header. */
export function assertionVerifier({ portal, ca, audiences }: Omit<AppOptions, 'port'>): Verify {
  const dispatcher = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
  const fetchKeys = (url: string, init: object): Promise<Response> =>
    undiciFetch(url, { ...init, dispatcher }) as unknown as Promise<Response>;
  const verify = createVerifier({ issuer: portal, audience: audiences, fetch: fetchKeys });
  return async ({ headers }) => verify(headers[ASSERTION_HEADER]?.toString());
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  claims: AssertionClaims,
  notes: string[],
): Promise<void> {
  const path = request.url?.split('?', 1)[0];
  const name = String(claims.name);
  if (path === '/') return sendPage(response, homePage(name));
  if (path === '/admin')
    return sendPage(response, `<h1>Admin</h1><p>${escapeHtml(name)}, you used a second factor.</p>`);
  if (path === '/api/me') return send(response, 200, { sub: claims.sub, name, groups: claims.groups });
  if (path === '/api/notes' && request.method === 'GET') return send(response, 200, { notes });
  if (path === '/api/notes' && request.method === 'POST') {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text = (text + chunk).slice(0, 1000);
    notes.push(text);
    return send(response, 201, { notes });
  }
  if (path === '/events') return streamEvents(response);
  return send(response, 404, {
    error: 'there is /, /admin, /api/me, /api/notes, /events and a WebSocket at /echo',
  });
}

function streamEvents(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let count = 0;
  const tick = (): void => {
    count += 1;
    response.write(`id: ${count}\ndata: ${new Date().toISOString()}\n\n`);
  };
  tick();
  const timer = setInterval(tick, 1000);
  response.once('close', () => clearInterval(timer));
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function sendPage(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notes</title><style>${STYLE}</style></head><body>${body}</body></html>`,
  );
}

const STYLE =
  'body{font:1rem/1.6 Georgia,serif;max-width:40rem;margin:3rem auto;padding:0 1rem;background:#fffdf7;color:#26221c}code{background:#f1ece0;padding:.1em .3em}dt{font-weight:bold}dd{margin:0 0 .8rem}';

function homePage(name: string): string {
  return `<h1>Notes</h1><p>Hello <strong id="name">${escapeHtml(name)}</strong>. This app listens on loopback only; a connector dialled out to bring you here.</p>
<dl><dt>API</dt><dd id="api">…</dd><dt>Event stream</dt><dd id="events">…</dd><dt>WebSocket</dt><dd id="socket">…</dd></dl>
<p><a href="/admin">Admin page</a> (asks for a second factor)</p>
<script>
const show = (id, text) => { document.getElementById(id).textContent = text; };
fetch('/api/me').then((reply) => reply.json()).then((me) => show('api', JSON.stringify(me)));
new EventSource('/events').onmessage = (event) => show('events', event.data);
const socket = new WebSocket('wss://' + location.host + '/echo');
socket.onmessage = (event) => show('socket', event.data);
</script>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
