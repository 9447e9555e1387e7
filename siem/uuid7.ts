// Makes UUIDv7 event ids: unique, ordered by time, and increasing within one process. Never a secret: ids are shown.
import { randomFillSync } from 'node:crypto';

/** Clock steps back up to this many milliseconds keep ids increasing; beyond it ids follow the clock again. */
const MAX_STEP_BACK = 60_000;
const RANDOM_BYTES = 10;
const POOL_BYTES = RANDOM_BYTES * 512;

const HEX = Buffer.from('0123456789abcdef');
const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A generator whose ids increase even within a millisecond (RFC 9562, 6.2 method 1). `now`: epoch ms. */
export function uuid7Generator(now: () => number): () => string {
  let used = POOL_BYTES;
  const pool = new Uint8Array(POOL_BYTES);
  // Filled anew for each id and read in one piece: JSON.stringify is slower with text put together of parts.
  const id = Buffer.from('00000000-0000-7000-8000-000000000000');
  let last = 0;
  let counter = 0;

  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const byte = (index: number): number => pool[used + index] ?? 0;
    const time = Math.max(0, Math.floor(now()));
    if (time > last || last - time > MAX_STEP_BACK) {
      last = time;
      // The top bit starts at 0, so a millisecond holds at least 2,048 ids.
      counter = ((byte(0) << 8) | byte(1)) & 0x7ff;
    } else if (counter === 0xfff) {
      last += 1;
      counter = ((byte(0) << 8) | byte(1)) & 0x7ff;
    } else {
      counter += 1;
    }
    digits(id, 0, Math.floor(last / 0x1_0000), 8);
    digits(id, 9, last & 0xffff, 4);
    digits(id, 14, 0x7000 | counter, 4);
    digits(id, 19, 0x8000 | ((byte(2) & 0x3f) << 8) | byte(3), 4);
    for (let index = 0; index < 6; index += 1) digits(id, 24 + 2 * index, byte(4 + index), 2);
    used += RANDOM_BYTES;
    return id.toString('latin1');
  };
}

/** Writes the last `count` hexadecimal digits of `value` at `offset`. */
function digits(id: Buffer, offset: number, value: number, count: number): void {
  let rest = value;
  for (let at = offset + count - 1; at >= offset; at -= 1) {
    id[at] = HEX[rest & 15] ?? 0;
    rest >>>= 4;
  }
}

/** Epoch milliseconds inside a canonical UUIDv7, or undefined if `id` is none. */
export function uuid7Time(id: string): number | undefined {
  return CANONICAL.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
