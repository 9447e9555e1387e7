// What is said in one turn of the event loop leaves together: in order, and a body in small pieces as if it were in one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from '#connectors/wire/batch';
import { Decoder } from '#connectors/wire/decoder';
import { FIN, FRAME } from '#connectors/wire/frame';
import { MAX_DATA } from '#connectors/wire/limits';
import type { Transport } from '#connectors/wire/transport';

const NO_PREFIX = Buffer.alloc(0);

interface Arrived {
  readonly type: number;
  readonly stream: number;
  readonly fin: boolean;
  readonly payload: string;
}

/** A batch whose turns end when told, and the frames that left it. */
function batched(): { batch: Batch; endTurn: () => void; frames: () => Arrived[]; messages: () => number } {
  const sent: Buffer[] = [];
  const steps: (() => void)[] = [];
  const transport = { send: (bytes: Buffer) => void sent.push(bytes) } as unknown as Transport;
  return {
    batch: new Batch(transport, (step) => void steps.push(step)),
    endTurn: () => {
      for (const step of steps.splice(0)) step();
    },
    frames: () => {
      const frames: Arrived[] = [];
      // Whole messages: a DATA frame that lies in one is one piece.
      const decoder = new Decoder({
        onFrame: (type, fin, stream, payload) =>
          frames.push({ type, stream, fin, payload: payload.toString('latin1') }),
        onData: (stream, piece, fin) =>
          frames.push({ type: FRAME.DATA, stream, fin, payload: piece.toString('latin1') }),
      });
      decoder.push(Buffer.concat(sent));
      assert.ok(decoder.idle);
      return frames;
    },
    messages: () => sent.length,
  };
}

const data = (stream: number, payload: string, fin = false): Arrived => ({
  ...{ type: FRAME.DATA, stream, fin, payload },
});

test('pieces of one body are one frame, with its end', () => {
  const { batch, endTurn, frames, messages } = batched();
  for (const letter of 'a body in letters') batch.frame(FRAME.DATA, 1, Buffer.from(letter));
  batch.frame(FRAME.DATA | FIN, 1, Buffer.alloc(0));
  endTurn();
  assert.deepEqual(frames(), [data(1, 'a body in letters', true)]);
  assert.equal(messages(), 1);
});

test('what comes between two pieces stays between them', () => {
  const { batch, endTurn, frames } = batched();
  batch.frame(FRAME.DATA, 1, Buffer.from('one'));
  batch.frame(FRAME.DATA, 3, Buffer.from('other'));
  batch.frame(FRAME.DATA, 1, Buffer.from('two'));
  batch.number(FRAME.WINDOW, 1, 7);
  batch.frame(FRAME.DATA, 1, Buffer.from('three'));
  batch.text(FRAME.TRAILERS | FIN, 1, NO_PREFIX, 'a\nb');
  endTurn();
  batch.frame(FRAME.DATA, 3, Buffer.from('four'));
  endTurn();
  batch.frame(FRAME.DATA | FIN, 3, Buffer.from('five'));
  endTurn();
  const [first, second, third, window, fourth, trailers, ...later] = frames();
  assert.deepEqual([first, second, third], [data(1, 'one'), data(3, 'other'), data(1, 'two')]);
  assert.equal(window?.type, FRAME.WINDOW);
  assert.deepEqual(fourth, data(1, 'three'));
  assert.equal(trailers?.type, FRAME.TRAILERS);
  assert.deepEqual(later, [data(3, 'four'), data(3, 'five', true)]);
});

test('a direction that has ended does not grow', () => {
  const { batch, endTurn, frames } = batched();
  batch.frame(FRAME.DATA | FIN, 1, Buffer.from('end'));
  batch.frame(FRAME.DATA, 1, Buffer.from('more'));
  batch.frame(FRAME.DATA | FIN, 1, Buffer.from(' still'));
  batch.frame(FRAME.DATA, 1, Buffer.from('late'));
  endTurn();
  assert.deepEqual(frames(), [data(1, 'end', true), data(1, 'more still', true), data(1, 'late')]);
});

test('whatever is said, all of it arrives in order, and no frame is longer than the protocol has it', () => {
  const { batch, endTurn, frames } = batched();
  const said = new Map<number, string>();
  const sizes = [1, 1, 1, 3, 700, 5000, 8192, 8193, MAX_DATA];
  for (let step = 0; step < 3000; step++) {
    const stream = 1 + 2 * ((step * 7) % 3);
    const payload = String.fromCharCode(97 + (step % 26)).repeat(
      sizes[(step * 5 + (step >> 4)) % sizes.length] ?? 1,
    );
    if (step % 11 === 0) batch.number(FRAME.WINDOW, stream, step + 1);
    if (step % 17 === 0) endTurn();
    for (let again = 0; again <= step % 4; again++) {
      batch.frame(FRAME.DATA, stream, Buffer.from(payload));
      said.set(stream, (said.get(stream) ?? '') + payload);
    }
  }
  endTurn();
  const heard = new Map<number, string>();
  const arrived = frames();
  for (const { type, stream, payload } of arrived) {
    if (type === FRAME.DATA) heard.set(stream, (heard.get(stream) ?? '') + payload);
  }
  assert.deepEqual(heard, said);
  assert.ok(arrived.every(({ payload }) => payload.length <= MAX_DATA));
});
