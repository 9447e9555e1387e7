// Ports for installations under test, free now and left alone by everybody else: a part that is killed must find its
// port again when it comes back.
import { createServer } from 'node:net';

/**
 * Below where the kernel takes the near ends of outgoing connections from (32768 on Linux): up there, a connection of
 * some other test could sit on the port of a gateway that is just being restarted.
 */
const LOWEST = 12_000;
const HIGHEST = 32_000;

const given = new Set<number>();

/** As many different ports as asked for, free on loopback. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

/** The first of as many free ports in a row. */
export async function freeRow(count: number): Promise<number> {
  for (;;) {
    const [first = 0] = await freePorts(1);
    const others = Array.from({ length: count - 1 }, (_, index) => first + 1 + index);
    const free = await Promise.all(others.map(async (port) => !given.has(port) && (await isFree(port))));
    if (!free.every(Boolean)) continue;
    for (const port of others) given.add(port);
    return first;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
