// A TCP proxy that breaks lines on purpose: silent (bytes vanish, nothing closes), slow, or cut.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Cleanup } from '#test/story/tunnel/processes';

/** Which bytes vanish: those of whoever dialled, those of whoever was dialled, or all. */
export type Direction = 'inward' | 'outward' | 'both';

export interface Line {
  readonly port: number;
  /** Connections made so far. */
  connections(): number;
  /** From now on bytes of connections that are open vanish; new connections work. */
  silence(direction?: Direction): void;
}

export async function line(t: Cleanup, target: number): Promise<Line> {
  const pairs: [Socket, Socket][] = [];
  const server = createServer((inbound) => {
    const outbound = connect(target, '127.0.0.1');
    pairs.push([inbound, outbound]);
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => pairs.length,
    silence(direction = 'both') {
      for (const [inbound, outbound] of pairs) {
        const mute = { inward: [inbound], outward: [outbound], both: [inbound, outbound] }[direction];
        for (const socket of mute) {
          // Reads on, so that the sender's writes succeed as they do into a dead network's buffers.
          socket
            .removeAllListeners('data')
            .removeAllListeners('close')
            .on('data', () => {});
        }
      }
    },
  };
}
