// Floods the listener for connectors in one way for some seconds, and prints what it counted. Arguments: the way, the
// listener's port, seconds, a directory with the identity of a connector that has gone over to the other side.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import WebSocket from 'ws';
import { dial } from '#connectors/link/dial';
import { loadIdentity } from '#connectors/link/identity';
import { MAX_ATTESTATION } from '#connectors/wire/evidence';
import { FIN, FRAME, frame } from '#connectors/wire/frame';
import { encodeHello } from '#connectors/wire/hello';
import { MAX_HEAD, MAX_HELLO, VERSIONS } from '#connectors/wire/limits';

const [way = '', port, seconds, directory = ''] = process.argv.slice(2);
const identity = loadIdentity(directory);
if (identity === undefined) throw new Error(`there is no identity in ${directory}`);
const gateway = new URL(`https://localhost:${port}`);
const until = performance.now() + Number(seconds) * 1000;
const over = (): boolean => performance.now() >= until;
const left = (): Promise<unknown> => sleep(Math.max(0, until - performance.now()));
const HOST = 'Host: localhost\r\n';
/** Loopback has many addresses: so have strangers. */
const ADDRESSES = 50;
/** Bytes of frames in one message. */
const MESSAGE = 64 * 1024;
/** Milliseconds after which somebody who was not let in comes again. */
const AGAIN = 100;

const counted: Record<string, number> = {};
function count(what: string, by = 1): void {
  counted[what] = (counted[what] ?? 0) + by;
}

/** Does `one` again and again, so many at a time, each with its number. */
async function always(many: number, one: (number: number) => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: many }, async (_, number) => {
      while (!over()) await one(number);
    }),
  );
}

/** A TLS connection, of a stranger if `stranger` is its number; undefined if there is none. */
async function come(stranger?: number): Promise<TLSSocket | undefined> {
  const { ca, certificate: cert, key } = identity as NonNullable<typeof identity>;
  const shown =
    stranger === undefined
      ? { cert, key, localAddress: '127.0.2.1' }
      : { localAddress: `127.0.1.${(stranger % ADDRESSES) + 1}` };
  const socket = connect({ host: '127.0.0.1', port: Number(port), ca, servername: 'localhost', ...shown });
  socket.on('error', () => {});
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]).catch(() => {});
  count(socket.destroyed ? 'refused' : 'connections');
  if (!socket.destroyed) return socket;
  await sleep(AGAIN);
  return undefined;
}

/** Says `text`, and then `more` each second; stays until the gateway ends it, or it is over. */
async function stay(socket: TLSSocket | undefined, text: string, more?: string): Promise<void> {
  if (socket === undefined) return;
  const timer = setInterval(() => more !== undefined && socket.write(more), 1000);
  socket.write(text);
  socket.resume();
  await Promise.race([once(socket, 'close').catch(() => {}), left()]);
  clearInterval(timer);
  if (socket.destroyed) count('ended');
  socket.destroy();
}

const asStrangers = (many: number, text: string, more?: string) => (): Promise<void> =>
  always(many, async (number) => stay(await come(number), text, more));

async function tunnel(): Promise<WebSocket | undefined> {
  try {
    const ws = await dial(gateway, identity as NonNullable<typeof identity>);
    ws.on('error', () => {});
    ws.once('close', () => count('ended'));
    count('tunnels');
    return ws;
  } catch {
    count('turned away');
    await sleep(AGAIN);
    return undefined;
  }
}

const HELLO = frame(
  FRAME.HELLO,
  0,
  encodeHello({
    ...{ versions: VERSIONS, window: 262_144, streams: 64, apps: ['spare'] },
    ...{ instance: 'flood', software: 'flood' },
  }),
);

/** Says something with `say` as fast as the gateway reads; on another tunnel when that is ended. */
function pour(tunnels: number, say: (ws: WebSocket, sent: () => void) => void, hello = HELLO) {
  return (): Promise<void> =>
    always(tunnels, async () => {
      const ws = await tunnel();
      if (ws === undefined) return;
      let wake = (): void => {};
      ws.once('close', () => wake());
      ws.send(hello);
      while (ws.readyState === WebSocket.OPEN && !over()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          say(ws, resolve);
        });
        count('portions');
      }
      ws.terminate();
    });
}

/** The same with one frame again and again. */
function frames(tunnels: number, one: Buffer): () => Promise<void> {
  const bytes = Buffer.alloc(one.length * Math.floor(MESSAGE / one.length), one);
  // A hello may open a stream first, so that there is one to speak of.
  return pour(tunnels, (ws, sent) => ws.send(bytes, sent), Buffer.concat([HELLO, openOf(2)]));
}

function openOf(stream: number): Buffer {
  return frame(FRAME.OPEN, stream, Buffer.from('\u0003\u0003wik', 'latin1'));
}

/** Stream after stream; `reset`: and the end of each. */
function opens(reset: boolean): () => Promise<void> {
  const next = new WeakMap<WebSocket, number>();
  return pour(2, (ws, sent) => {
    const from = next.get(ws) ?? 2;
    const all = Array.from({ length: 1000 }, (_, index) => from + 2 * index);
    next.set(ws, from + 2 * all.length);
    const parts = all.flatMap((id) =>
      reset ? [openOf(id), frame(FRAME.RST, id, Buffer.of(1))] : [openOf(id)],
    );
    ws.send(Buffer.concat(parts), sent);
  });
}

function wrongToken(): string {
  const claims = { v: 1, name: 'rack-1', exp: 4_000_000_000, secret: 'x'.repeat(43), ca: 'x' };
  const token = `sallyport-enrol.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const body = JSON.stringify({ token, csr: 'x' });
  return `POST /v1/enrol HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
}

const ATTEST = `POST /device/attest HTTP/1.1\r\n${HOST}Content-Length: ${MAX_ATTESTATION}\r\n\r\n`;
const UPGRADE = `GET /v1/tunnel HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;

const WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
  handshakes: () => always(32, async (number) => (await come(number))?.destroy()),
  heads: asStrangers(1_500, `GET /v1/ca HTTP/1.1\r\n${HOST}X: `, 'x'),
  bodies: asStrangers(1_500, `POST /v1/enrol HTTP/1.1\r\n${HOST}Content-Length: 5000\r\n\r\n{`, ' '),
  questions: asStrangers(20, `GET /v1/ca HTTP/1.1\r\n${HOST}\r\n`.repeat(500)),
  tokens: asStrangers(32, wrongToken()),
  upgrades: () => always(200, async () => stay(await come(), UPGRADE, 'X: ')),
  attestations: () =>
    always(400, async () => stay(await come(), `${ATTEST}${'x'.repeat(MAX_ATTESTATION - 1)}`)),
  hellos: pour(80, (ws) => void left().then(() => ws.terminate()), HELLO.subarray(0, 12)),
  'second hello': pour(4, (ws, sent) => ws.send(HELLO, sent)),
  opens: opens(false),
  resets: opens(true),
  'resets of one': frames(2, frame(FRAME.RST, 2, Buffer.of(1))),
  'resets of one, 40 tunnels': frames(40, frame(FRAME.RST, 2, Buffer.of(1))),
  pings: frames(4, frame(FRAME.PING, 0, Buffer.alloc(8))),
  pongs: frames(4, frame(FRAME.PONG, 0, Buffer.alloc(8))),
  acknowledgements: frames(4, frame(FRAME.SESSION_ACK, 0, Buffer.alloc(4))),
  credit: frames(4, frame(FRAME.WINDOW, 2, Buffer.of(0, 0, 0, 1))),
  goodbyes: frames(4, frame(FRAME.GOAWAY, 0, Buffer.of(0))),
  'frames too long': pour(4, (ws, sent) =>
    ws.send(frame(FRAME.HEAD | FIN, 1, Buffer.alloc(MAX_HEAD + 1)), sent),
  ),
  'hellos too long': pour(
    4,
    (_ws, sent) => void sleep(AGAIN).then(sent),
    frame(FRAME.HELLO, 0, Buffer.alloc(MAX_HELLO)),
  ),
  'pings of WebSockets': pour(4, (ws, sent) => {
    for (let i = 0; i < 500; i += 1) ws.ping();
    ws.ping('', true, sent);
  }),
  'pongs of WebSockets': pour(4, (ws, sent) => {
    for (let i = 0; i < 500; i += 1) ws.pong();
    ws.pong('', true, sent);
  }),
};

const act = WAYS[way];
if (act === undefined) {
  console.log(JSON.stringify(Object.keys(WAYS)));
  process.exit(0);
}
await Promise.race([act(), left().then(() => sleep(AGAIN))]);
console.log(JSON.stringify(counted));
process.exit(0);
