// A connection that never stops talking: everybody else has a turn in between, and nothing of it is lost.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { takeTurns } from '#gateway/edge/take-turns';

const PIECE = 16 * 1024;
const PIECES = 64;

/** Whatever it is asked for is there already. */
function endless(): Readable {
  let pieces = 0;
  return new Readable({
    highWaterMark: PIECE * PIECES * 2,
    read() {
      for (; pieces <= PIECES; pieces += 1) this.push(pieces === PIECES ? null : Buffer.alloc(PIECE));
    },
  });
}

test('others have their turn in between, and every byte arrives', async () => {
  const talker = endless();
  let [read, turns, most, before] = [0, 0, 0, 0];
  const other = (): void => {
    turns += 1;
    most = Math.max(most, read - before);
    before = read;
    if (!talker.readableEnded) setImmediate(other);
  };
  talker.on('data', ({ length }: Buffer) => {
    read += length;
  });
  takeTurns(talker as never, () => true);
  setImmediate(other);
  await new Promise((resolve) => talker.once('end', resolve));
  assert.equal(read, PIECE * PIECES);
  assert.ok(turns >= 7, `${turns} turns`);
  assert.ok(most <= 128 * 1024, `${most} bytes in one turn`);
});

test('of what means nothing any more no second portion is read', async () => {
  const talker = endless();
  let read = 0;
  talker.on('data', ({ length }: Buffer) => {
    read += length;
  });
  takeTurns(talker as never, () => false);
  for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
  assert.equal(read, 128 * 1024);
});
