// The least that a tunnel for HTTP can be in Node: heads and small bodies as text in WebSocket messages, one for each turn
// of the event loop, with node's own HTTP at both ends. Nothing is checked, limited, decided or recorded. Run as a process:
// `gateway PORT CONNECTORS FOLDER`, with cert.pem and key.pem in the folder, or `connector CONNECTORS APP`.
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';

const HOST = '127.0.0.1';
const HOP = /^(connection|keep-alive|transfer-encoding)$/i;
/** A message has at most so many bytes; half of it is room for the largest head and body. */
const SLAB = 64 * 1024;

/** What one end says to the other: which exchange, a line and pairs of header lines, and a body. */
type Take = (id: number, head: readonly string[], body: Buffer) => void;

/** Frames of a length, a number, and the head's length and lines; all of a turn in one message. */
class Messages {
  readonly #ws: WebSocket;
  #slab = Buffer.allocUnsafe(SLAB);
  #end = 0;

  constructor(ws: WebSocket, take: Take) {
    this.#ws = ws;
    ws.on('message', (data: Buffer) => {
      for (let at = 0; at < data.length; at += 12 + data.readUInt32BE(at)) {
        const body = at + 12 + data.readUInt32BE(at + 8);
        const head = data.toString('latin1', at + 12, body).split('\n');
        take(data.readUInt32BE(at + 4), head, data.subarray(body, at + 12 + data.readUInt32BE(at)));
      }
    });
  }

  send(id: number, line: string, raw: readonly string[], body: Buffer): void {
    let text = line;
    for (let i = 0; i < raw.length; i += 2) {
      if (!HOP.test(raw[i] as string)) text += `\n${raw[i]}\n${raw[i + 1]}`;
    }
    if (this.#end > SLAB / 2) this.#flush();
    if (this.#end === 0) setImmediate(() => this.#flush());
    const at = this.#end;
    const head = this.#slab.write(text, at + 12, 'latin1');
    const length = head + body.copy(this.#slab, at + 12 + head);
    this.#slab.writeUInt32BE(length, at);
    this.#slab.writeUInt32BE(id, at + 4);
    this.#slab.writeUInt32BE(head, at + 8);
    this.#end += 12 + length;
  }

  #flush(): void {
    if (this.#end === 0) return;
    this.#ws.send(this.#slab.subarray(0, this.#end));
    this.#slab = Buffer.allocUnsafe(SLAB);
    this.#end = 0;
  }
}

const NOTHING = Buffer.alloc(0);
const WEBSOCKET = { perMessageDeflate: false, skipUTF8Validation: true };

function gateway(port: number, connectors: number, folder: string): void {
  const file = (name: string): Buffer => readFileSync(join(folder, name));
  const tls = {
    cert: file('cert.pem'),
    key: file('key.pem'),
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
  } as const;
  const waiting = new Map<number, (head: readonly string[], body: Buffer) => void>();
  let messages: Messages | undefined;
  const server = createServer(tls);
  new WebSocketServer({ server, ...WEBSOCKET }).on('connection', (ws) => {
    messages = new Messages(ws, (id, head, body) => {
      waiting.get(id)?.(head, body);
      waiting.delete(id);
    });
  });
  server.listen(connectors, HOST);
  let last = 0;
  createServer(tls, (request, response) => {
    last += 1;
    waiting.set(last, ([status, ...headers], body) => response.writeHead(Number(status), headers).end(body));
    messages?.send(last, `${request.method} ${request.url}`, request.rawHeaders, NOTHING);
  }).listen(port, HOST, ready);
}

function connector(connectors: number, app: number): void {
  const agent = new Agent({ keepAlive: true });
  const ws = new WebSocket(`wss://${HOST}:${connectors}/`, {
    ...WEBSOCKET,
    // It is this machine, and what is measured is not who is trusted.
    rejectUnauthorized: false,
    generateMask: (mask) => mask.fill(0),
  });
  const messages = new Messages(ws, (id, [line = '', ...headers]) => {
    const [method = '', path = ''] = line.split(' ');
    httpRequest({ agent, host: HOST, port: app, method, path, headers }, (response) => {
      const body: Buffer[] = [];
      response.on('data', (piece: Buffer) => body.push(piece));
      response.on('end', () => {
        messages.send(id, String(response.statusCode), response.rawHeaders, Buffer.concat(body));
      });
    }).end();
  });
  ws.on('open', ready);
}

function ready(): void {
  process.stdout.write('ready\n');
}

const [role, ...args] = process.argv.slice(2);
if (role === 'gateway') gateway(Number(args[0]), Number(args[1]), args[2] ?? '.');
else connector(Number(args[0]), Number(args[1]));
