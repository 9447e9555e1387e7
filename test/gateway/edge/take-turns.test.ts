// A connection that never stops talking: everybody else has a turn in between, and nothing of it is lost.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { takeTurns } from '#gateway/edge/take-turns';

const PIECE = 16 * 1024;
const PIECES = 64;

test('others have their turn in between, and every byte arrives', async () => {
  let pieces = 0;
  // Whatever it is asked for is there already.
  const endless = new Readable({
    highWaterMark: PIECE * PIECES * 2,
    read() {
      for (; pieces <= PIECES; pieces += 1) this.push(pieces === PIECES ? null : Buffer.alloc(PIECE));
    },
  });
  let [read, turns, most, before] = [0, 0, 0, 0];
  const other = (): void => {
    turns += 1;
    most = Math.max(most, read - before);
    before = read;
    if (!endless.readableEnded) setImmediate(other);
  };
  endless.on('data', ({ length }: Buffer) => {
    read += length;
  });
  takeTurns(endless as never);
  setImmediate(other);
  await new Promise((resolve) => endless.once('end', resolve));
  assert.equal(read, PIECE * PIECES);
  assert.ok(turns >= 7, `${turns} turns`);
  assert.ok(most <= 128 * 1024, `${most} bytes in one turn`);
});
