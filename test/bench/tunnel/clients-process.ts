// Ten thousand who are connected and say nothing, from one light process: connectors by their tunnels, people by their
// TLS connections, and event streams on those. Told by its parent what to open.
import { connect, type TLSSocket } from 'node:tls';
import { dial } from '#connectors/link/dial';
import type { Identity } from '#connectors/link/identity';
import { DEFAULT_LIMITS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import { IGNORE } from '#connectors/wire/stream';
import { overWebSocket } from '#connectors/wire/transport';

/** What the parent asks for; the answer is the number of those that are open. */
export type ClientsOrder =
  | {
      readonly open: 'tunnels';
      readonly count: number;
      readonly gateway: string;
      readonly identities: Identity[];
    }
  | {
      readonly open: 'users';
      readonly count: number;
      readonly port: number;
      readonly host: string;
      readonly ca: string;
      readonly cookie: string;
    }
  | { readonly open: 'streams'; readonly host: string; readonly cookie: string };

/** Handshakes under way at once. */
const AT_ONCE = 32;

const sessions: Session[] = [];
const users: TLSSocket[] = [];

async function many(count: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await one(next - 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function tunnel(gateway: string, identity: Identity): Promise<void> {
  const ws = await dial(new URL(gateway), identity);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { window, streams } = DEFAULT_LIMITS;
  const hello = { versions: [1], window, streams, apps: ['app0'], instance: 'idle', software: 'bench' };
  const session = new Session({
    transport: overWebSocket(ws),
    limits: DEFAULT_LIMITS,
    budget: { held: 0 },
    clock: () => performance.now(),
    greeting: { hello },
    onReady: () => resolve(),
    onOpen: () => IGNORE,
    onGoaway() {},
    onClose: (_code, why) => reject(new Error(why)),
  });
  sessions.push(session);
  await promise;
}

/** Asks for `path` and waits for the head of the answer; a short answer comes with it. */
function ask(
  socket: TLSSocket,
  path: string,
  { host, cookie }: { host: string; cookie: string },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = (): void => reject(new Error(`the connection was closed before ${path} was answered`));
  if (socket.destroyed) gone();
  socket.once('close', gone);
  socket.once('data', (chunk: Buffer) => {
    socket.off('close', gone);
    const head = chunk.toString('latin1');
    if (head.startsWith('HTTP/1.1 200 ')) resolve();
    else reject(new Error(head.slice(0, 200)));
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n`);
  return promise;
}

async function user(order: { port: number; host: string; ca: string; cookie: string }): Promise<void> {
  const { port, host, ca } = order;
  const socket = connect({ port, host: '127.0.0.1', servername: host, ca, ALPNProtocols: ['http/1.1'] });
  socket.setNoDelay(true);
  socket.on('error', () => {});
  users.push(socket);
  await ask(socket, '/', order);
}

async function follow(order: ClientsOrder): Promise<number> {
  if (order.open === 'tunnels') {
    const { count, gateway, identities } = order;
    await many(count, (index) => tunnel(gateway, identities[index % identities.length] as Identity));
    return sessions.length;
  }
  if (order.open === 'users') {
    await many(order.count, () => user(order));
    return users.length;
  }
  await many(users.length, (index) => ask(users[index] as TLSSocket, '/events', order));
  return users.filter((socket) => !socket.destroyed).length;
}

process.on('message', (order: ClientsOrder) => {
  follow(order).then(
    (open) => process.send?.({ open }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
