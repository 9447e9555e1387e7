// A TCP proxy between parts of an installation that can be cut: open connections fall silent and new ones get nowhere,
// as in a network that lost its middle.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Scope } from '#test/contract/redis';

export interface Proxy {
  readonly port: number;
  /** From now on nothing gets through, and nobody is told. */
  cut(): void;
  /** New connections work again; those that were cut end. */
  mend(): void;
}

export async function proxy(scope: Scope, target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((inbound) => {
    const outbound = isCut ? undefined : connect(target, '127.0.0.1');
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      if (from === undefined) continue;
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!isCut) to?.write(chunk);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        if (!isCut) to?.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  scope.after(async () => {
    endAll();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
    },
    mend: () => {
      isCut = false;
      endAll();
    },
  };
}
