// Makes UUIDv7 event ids: unique, ordered by time, and increasing within one process. Never a secret: ids are shown.
import { randomFillSync } from 'node:crypto';

/** Clock steps back up to this many milliseconds keep ids increasing; beyond it ids follow the clock again. */
const MAX_STEP_BACK = 60_000;
const RANDOM_BYTES = 10;
const POOL_BYTES = RANDOM_BYTES * 512;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A generator whose ids increase even within a millisecond (RFC 9562, 6.2 method 1). `now`: epoch ms. */
export function uuid7Generator(now: () => number): () => string {
  let used = POOL_BYTES;
  const pool = new Uint8Array(POOL_BYTES);
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
    const stamp = last.toString(16).padStart(12, '0');
    const middle = (0x7000 | counter).toString(16);
    const hex = (index: number): string => HEX[byte(index)] ?? '00';
    const variant = HEX[0x80 | (byte(2) & 0x3f)] ?? '80';
    const tail = `${variant}${hex(3)}-${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`;
    used += RANDOM_BYTES;
    return `${stamp.slice(0, 8)}-${stamp.slice(8)}-${middle}-${tail}`;
  };
}

/** Epoch milliseconds inside a canonical UUIDv7, or undefined if `id` is none. */
export function uuid7Time(id: string): number | undefined {
  return CANONICAL.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
