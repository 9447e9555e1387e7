// Streams on a shared link are counted while they are open, and not held for longer, whether or not somebody counts them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnderWay } from '#gateway/tunnel/under-way';

test('open streams are counted, and ended ones let go of without being counted', () => {
  const streams = new UnderWay();
  const long = Array.from({ length: 100 }, () => ({ closed: false }));
  for (const stream of long) streams.add(stream);
  for (let i = 0; i < 10_000; i += 1) {
    const stream = { closed: false };
    streams.add(stream);
    stream.closed = true;
    assert.ok(streams.kept <= 202);
  }
  assert.equal(streams.count, 100);
  for (const stream of long) stream.closed = true;
  assert.deepEqual([streams.count, streams.kept], [0, 0]);
});
