// A long line between two sockets, as a process of its own: so many bits a second and so many milliseconds each way, in
// packets, in order, nothing lost: what waits for its turn waits as long as it takes. Run as: port of the far end, Mbit/s, milliseconds one way; says its own port.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const [target = '0', megabits = '100', delay = '10'] = process.argv.slice(2);
/** Bytes a millisecond. */
const RATE = (Number(megabits) * 1e6) / 8 / 1000;
const DELAY = Number(delay);
/** What leaves at once: a few packets. */
const PIECE = 4 * 1024;

/** One direction of the line, which all connections share: when it is free again. */
interface Direction {
  free: number;
}

function carry(from: Socket, to: Socket, direction: Direction): void {
  const onWay: { readonly bytes: Buffer; readonly leaves: number }[] = [];
  let ticking = false;
  const tick = (): void => {
    if (!ticking) setTimeout(move, 1);
    ticking = true;
  };
  const move = (): void => {
    ticking = false;
    const now = performance.now();
    to.cork();
    while (onWay[0] !== undefined && onWay[0].leaves + DELAY <= now) to.write(onWay.shift()?.bytes as Buffer);
    to.uncork();
    if (onWay.length > 0) tick();
    else if (from.readableEnded) to.end();
  };
  from.on('data', (chunk: Buffer) => {
    const now = performance.now();
    for (let at = 0; at < chunk.length; at += PIECE) {
      const bytes = chunk.subarray(at, at + PIECE);
      direction.free = Math.max(direction.free, now) + bytes.length / RATE;
      onWay.push({ bytes, leaves: direction.free });
    }
    tick();
  });
  from.on('end', tick);
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
}

const there: Direction = { free: 0 };
const back: Direction = { free: 0 };
const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ port: Number(target), host: '127.0.0.1', allowHalfOpen: true });
  for (const socket of [near, far]) socket.setNoDelay(true);
  carry(near, far, there);
  carry(far, near, back);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
});
