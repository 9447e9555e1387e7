// The Unix socket on which admins ask a gateway: where it lies, and who may listen there. Commands that ask load nothing of
// what answers.
import { once } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import { Crowd } from '#gateway/edge/crowd';
import { CHECK_INTERVAL, HEADERS_TIMEOUT, REQUEST_TIMEOUT } from '#gateway/edge/limits';

/** The socket's name within the state directory. */
export const ADMIN_SOCKET = 'admin.sock';
/** What the kernel has room for in a Unix socket's address, less the terminating zero. */
const MAX_SOCKET_PATH = 107;
/** Nobody needs more at once, and on a socket that is open to all nobody gets more: who waits gives way to who comes. */
const MAX_CONNECTIONS = 64;
/** For the same reason nobody may take as long as they like over a request. */
const TIMES: ServerOptions = {
  headersTimeout: HEADERS_TIMEOUT,
  requestTimeout: REQUEST_TIMEOUT,
  connectionsCheckingInterval: CHECK_INTERVAL,
};

/** The admin socket cannot lie where it is to. The message says where that is, and why not. */
class AdminSocketError extends Error {
  readonly code = 'admin-socket-path';
}

/** Where a gateway's admin socket lies. */
export type AdminPlace = Pick<GatewayConfig, 'state' | 'admin'>;

export function adminSocket({ state, admin }: AdminPlace): string {
  return admin?.socket ?? join(state, ADMIN_SOCKET);
}

/**
 * Removes the socket that a crashed gateway left at `path`. What somebody put there by a slip of the configuration stays, and
 * so does the socket of a gateway that runs, whose admins would ask this one. Throws AdminSocketError.
 */
async function makeRoom(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  const elsewhere = 'let `admin.socket` name another place';
  if (!there.isSocket())
    throw new AdminSocketError(`${path} is there already and is no socket: move it away, or ${elsewhere}`);
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
    rmSync(path, { force: true });
    return;
  } finally {
    socket.destroy();
  }
  throw new AdminSocketError(`${path}: another gateway answers there: stop it, or ${elsewhere}`);
}

/** Listens where the configuration says. `answer` never rejects. Throws AdminSocketError. */
export async function listenForAdmins(
  config: AdminPlace,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  const path = adminSocket(config);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
    throw new AdminSocketError(
      `${path} is longer than the ${MAX_SOCKET_PATH} bytes a Unix socket's path may have: use a shorter state directory`,
    );
  await makeRoom(path);
  const crowd = new Crowd({ connections: MAX_CONNECTIONS, perAddress: MAX_CONNECTIONS }, () =>
    performance.now(),
  );
  const server = createServer(TIMES, (request, response) => {
    const { socket } = request;
    if (!crowd.engage(socket, request)) socket.destroy();
    else void answer(request, response).finally(() => crowd.rest(socket));
  });
  crowd.attend(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  // Where every request must be signed, whoever comes may ask.
  chmodSync(path, config.admin?.socket === undefined ? 0o600 : 0o666);
  return server;
}
