// A port on this computer's loopback that leads to an app: each connection to it is one of its own at the gateway.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ForwardOptions {
  /** A loopback address. */
  readonly host: string;
  readonly port: number;
  connect(): Promise<Duplex>;
  /** Told of each connection that could not be made. */
  onRefused(error: Error): void;
}

export interface Forward {
  readonly address: AddressInfo;
  /** Listens no more, and breaks what is open. */
  close(): void;
}

/** Listens until closed. Rejects if the port is taken. */
export async function forward(options: ForwardOptions): Promise<Forward> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    options.connect().then(
      (pipe) => join(socket, pipe),
      (error: Error) => {
        // Nor must nothing at all pass for an empty whole.
        socket.resetAndDestroy();
        options.onRefused(error);
      },
    );
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    // The system would end each in order, and what came so far would pass for the whole.
    for (const socket of open) socket.resetAndDestroy();
  };
  return { address: server.address() as AddressInfo, close };
}

/** Joins two connections so that each direction ends by itself, and a break on the far side is a break on the near. */
function join(near: Socket, far: Duplex): void {
  near.pipe(far);
  far.pipe(near);
  near.on('error', () => far.destroy());
  // A reset, not an end: what came so far must not pass for the whole.
  far.on('error', () => near.resetAndDestroy());
  // Nobody hears any more what is still said here. Once what came has gone out, that is told as TCP does.
  far.once('close', () => near.resume().destroySoon());
  // Once it has ended, what it said and the far side has not taken yet is still on its way.
  near.once('close', () => {
    if (!near.readableEnded) far.destroy();
  });
}
