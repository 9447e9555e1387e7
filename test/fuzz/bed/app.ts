// An app that takes bytes as they come and reads them with a parser of its own, stricter than any: the proof, from its
// side, of what reached it.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export interface Arrived {
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  /** Lower-case names, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bytes: number;
}

export interface WitnessApp {
  readonly port: number;
  /** Every request, in order. */
  readonly arrived: Arrived[];
  /** Bytes that were no part of a request in its one form, with what was seen of them. */
  readonly strays: { readonly bytes: number; readonly text: string }[];
  close(): Promise<void>;
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

export async function startWitness(): Promise<WitnessApp> {
  const arrived: Arrived[] = [];
  const strays: WitnessApp['strays'] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const stray = (bytes: Buffer): void => {
      strays.push({ bytes: bytes.length, text: bytes.toString('latin1').slice(0, 500) });
      socket.destroy();
    };
    let held: Buffer = Buffer.alloc(0);
    let upgraded = false;
    socket.on('data', (chunk: Buffer) => {
      // What follows an upgrade is the stream that was allowed.
      if (upgraded) return;
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length > 0) {
        const message = readMessage(held);
        if (message === 'more') return;
        if (message === 'broken') return stray(held);
        held = held.subarray(message.bytes);
        arrived.push(message);
        upgraded = message.headers.some(([name]) => name === 'upgrade');
        socket.write(upgraded ? SWITCH : ANSWER);
        if (upgraded) return;
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  return {
    port: typeof at === 'object' && at !== null ? at.port : 0,
    arrived,
    strays,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const FIELD = /^([!#$%&'*+\-.^`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;

/** One whole request at the beginning of `bytes`, by the grammar and nothing else. */
function readMessage(bytes: Buffer): Arrived | 'more' | 'broken' {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return bytes.length > 128 * 1024 ? 'broken' : 'more';
  const [start = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const line = /^([A-Z]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/.exec(start);
  if (line === null) return 'broken';
  const headers: [string, string][] = [];
  for (const text of lines) {
    const field = FIELD.exec(text);
    if (field === null) return 'broken';
    headers.push([(field[1] ?? '').toLowerCase(), (field[2] ?? '').trimEnd()]);
  }
  const all = (name: string): string[] => headers.filter(([one]) => one === name).map(([, value]) => value);
  const [lengths, encodings] = [all('content-length'), all('transfer-encoding')];
  if (all('host').length !== 1 || lengths.length + encodings.length > 1) return 'broken';
  const body = end + 4;
  let after = body;
  if (encodings.length === 1) {
    if (encodings[0] !== 'chunked') return 'broken';
    const found = endOfChunks(bytes, body);
    if (typeof found === 'string') return found;
    after = found;
  } else if (lengths.length === 1) {
    // Of any length that a number can say: the client's own word, and nothing that would have to be held.
    if (!/^\d{1,15}$/.test(lengths[0] ?? '')) return 'broken';
    after = body + Number(lengths[0]);
    if (bytes.length < after) return 'more';
  }
  return { method: line[1] ?? '', target: line[2] ?? '', headers, bytes: after };
}

function endOfChunks(bytes: Buffer, from: number): number | 'more' | 'broken' {
  let at = from;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return bytes.length - at > 16 ? 'broken' : 'more';
    const size = bytes.toString('latin1', at, end);
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) return 'broken';
    at = end + 2 + Number.parseInt(size, 16);
    if (size === '0') return trailersEnd(bytes, end + 2);
    if (bytes.length < at + 2) return 'more';
    if (bytes.toString('latin1', at, at + 2) !== '\r\n') return 'broken';
    at += 2;
  }
}

/** Of trailers none may be a field that frames the message, or one that a client could speak for the gateway with. */
function trailersEnd(bytes: Buffer, from: number): number | 'more' | 'broken' {
  for (let at = from; ; ) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return bytes.length - at > 16 * 1024 ? 'broken' : 'more';
    if (end === at) return end + 2;
    const [, name = ''] = FIELD.exec(bytes.toString('latin1', at, end)) ?? [];
    if (
      name === '' ||
      /^(?:host|content-length|transfer-encoding|forwarded)$|^x-(?:sallyport|forwarded)-|_/i.test(name)
    )
      return 'broken';
    at = end + 2;
  }
}
