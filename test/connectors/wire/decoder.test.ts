// Frames that arrive in pieces mean what they mean whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decoder } from '#connectors/wire/decoder';
import { FIN, FRAME, frame } from '#connectors/wire/frame';

test('a DATA frame that comes in pieces ends its direction with the last one only', () => {
  const bytes = frame(FRAME.DATA | FIN, 1, Buffer.from('hello'));
  for (let cut = 9; cut < bytes.length; cut++) {
    const fins: boolean[] = [];
    const decoder = new Decoder({ onFrame() {}, onData: (_stream, _piece, fin) => fins.push(fin) });
    decoder.push(bytes.subarray(0, cut));
    decoder.push(bytes.subarray(cut));
    assert.deepEqual(fins, [false, true]);
  }
});
