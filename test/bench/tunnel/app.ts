// The app behind the tunnel where nginx cannot be it: event streams, WebSockets that stay open, bodies without end.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Undo } from '../spine/product.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'sallyport');

export interface App {
  readonly port: number;
  /** Bytes of endless bodies that were handed to the kernel or wait for it. */
  written(): number;
}

/**
 * `/` answers at once, `/events` with a stream on which nothing comes, `/bulk?<bytes>` with that many, and a WebSocket
 * is taken and left alone.
 */
export async function startApp(undo: Undo): Promise<App> {
  let written = 0;
  const server = createServer((request, response) => {
    const [path, query] = (request.url ?? '/').split('?');
    if (path === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(': nothing yet\n\n');
    } else if (path === '/bulk') {
      bulk(response, Number(query), (bytes) => {
        written += bytes;
      });
    } else response.end('answered\n');
  });
  server.keepAliveTimeout = 60_000;
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  undo.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, written: () => written };
}

function bulk(response: ServerResponse, bytes: number, count: (bytes: number) => void): void {
  response.writeHead(200, { 'Content-Length': bytes });
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const piece = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= piece.length;
      count(piece.length);
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}
