// A back end that checks the gateway's assertion, as every app should, takes uploads and streams, and writes down each
// request line the moment it arrives: the proof of what did and did not get through.
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { WebSocketServer } from 'ws';
import { assertionVerifier } from '#bin/demo/app';

export interface ReceiverOptions {
  readonly port: number;
  readonly portal: string;
  /** PEM that the portal's certificate chains to. */
  readonly ca: string;
  readonly audience: string;
}

export interface Seen {
  /** `GET /path`. */
  readonly line: string;
  /** Flat name, value, … as they came. */
  readonly headers: readonly string[];
}

export interface Receiver {
  /** Every request that arrived, in order, also those it refused. */
  readonly seen: Seen[];
  /** Lines of requests whose assertion was not good. */
  readonly refused: string[];
  /** Lines of requests whose client went away before the end. */
  readonly abandoned: string[];
  /** Sends one more event to every open event stream. */
  tick(): void;
  close(): Promise<void>;
}

const HELD = new Set(['/hold', '/half']);

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { port, portal, ca, audience } = options;
  const verify = assertionVerifier({ portal, ca, audiences: [audience] });
  const ticks = new EventEmitter().setMaxListeners(100);
  const receiver = { seen: [] as Seen[], refused: [] as string[], abandoned: [] as string[] };
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();

  const arrived = (request: IncomingMessage): string => {
    const line = `${request.method} ${request.url}`;
    receiver.seen.push({ line, headers: request.rawHeaders });
    return line;
  };
  server.on('request', (request, response) => {
    const line = arrived(request);
    response.once('close', () => {
      if (!response.writableFinished) receiver.abandoned.push(line);
    });
    verify(request).then(
      (claims) => respond(request, response, ticks, claims),
      () => {
        receiver.refused.push(line);
        json(response, 401, { error: 'no valid assertion' });
      },
    );
  });
  server.on('upgrade', (request, socket, head) => {
    const line = arrived(request);
    verify(request).then(
      () =>
        sockets.handleUpgrade(request, socket, head, (ws) => {
          ws.on('message', (message, binary) => ws.send(message, { binary }));
        }),
      () => {
        receiver.refused.push(line);
        socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      },
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...receiver,
    tick: () => void ticks.emit('tick'),
    close: async () => {
      for (const ws of sockets.clients) ws.terminate();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  ticks: EventEmitter,
  claims: object,
): Promise<void> | void {
  const path = request.url?.split('?', 1)[0] ?? '';
  if (path === '/upload') return upload(request, response);
  if (path === '/echo') return void request.pipe(response);
  if (path === '/events') return events(response, ticks);
  if (path === '/trailers') return trailers(response);
  if (path === '/cookies') return cookies(response);
  if (HELD.has(path)) {
    if (path === '/half') response.writeHead(200, { 'Content-Length': 1000 }).write('the first half');
    return undefined;
  }
  return json(response, 200, { claims, headers: request.rawHeaders });
}

async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  json(response, 200, { bytes, sha256: hash.digest('hex'), trailers: request.trailers });
}

function events(response: ServerResponse, ticks: EventEmitter): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let count = 0;
  const send = (): void => {
    count += 1;
    response.write(`id: ${count}\ndata: event ${count}\n\n`);
  };
  send();
  ticks.on('tick', send);
  response.once('close', () => ticks.off('tick', send));
}

function trailers(response: ServerResponse): void {
  response.writeHead(200, { Trailer: 'X-Digest' });
  response.write('a body of unknown length');
  response.addTrailers({ 'X-Digest': 'sha-256=:of-the-body:' });
  response.end();
}

/** An app that tries to plant our cookies, in the spellings that browsers may take for one (RFC 6265bis 5.6). */
function cookies(response: ServerResponse): void {
  const value = 'A'.repeat(43);
  response.writeHead(200, {
    'Set-Cookie': [
      `__Host-sallyport=${value}; Path=/; Secure`,
      `__Host-sallyport-browser=${value}; Path=/; Secure`,
      `  __Host-sallyport=${value}; Path=/; Secure`,
      `=__Host-sallyport=${value}; Path=/; Secure`,
      ` = __Host-sallyport=${value}; Path=/; Secure`,
      'theme=dark; Path=/; Secure',
    ],
  });
  response.end();
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
