// What waits for a slow reader takes the room of its bytes, in however small pieces it came; and all of it arrives.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { IN_HAND } from '#connectors/wire/limits';
import { Outlet } from '#connectors/wire/outlet';
import type { Stream } from '#connectors/wire/stream';

/** A reader that takes a write when told, and what it has had. */
class Reader extends Writable {
  readonly pieces: Buffer[] = [];
  #taken: (() => void) | undefined;

  constructor(highWaterMark: number) {
    super({ highWaterMark });
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('latin1');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.pieces.push(chunk);
    this.#taken = done;
  }

  /** False if there is nothing to take. */
  async take(): Promise<boolean> {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
    await new Promise(setImmediate);
    return taken !== undefined;
  }

  async takeAll(): Promise<void> {
    while (await this.take());
  }
}

function joined(highWaterMark = 1): { reader: Reader; outlet: Outlet; consumed: () => number } {
  const reader = new Reader(highWaterMark);
  let consumed = 0;
  const consume = (bytes: number): void => {
    consumed += bytes;
  };
  const stream = { consume } as unknown as Stream;
  return { reader, outlet: new Outlet(reader, stream), consumed: () => consumed };
}

test('a hundred thousand single bytes for a reader that stops are a few dozen pieces', async () => {
  const { reader, outlet, consumed } = joined();
  for (let index = 0; index < 100_000; index++) outlet.write(Buffer.from([97 + (index % 26)]));
  assert.equal(consumed(), 0);
  await reader.takeAll();
  assert.ok(reader.pieces.length < 60, `${reader.pieces.length} pieces`);
  assert.equal(consumed(), 100_000);
  assert.equal(
    reader.text,
    Array.from({ length: 100_000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join(''),
  );
});

test('small and large pieces keep their order, and all that was taken is given back', async () => {
  const { reader, outlet, consumed } = joined();
  let said = '';
  for (let step = 0; step < 500; step++) {
    const piece = String.fromCharCode(97 + (step % 26)).repeat([1, 40, 1023, 1024, 5000][step % 5] ?? 1);
    said += piece;
    outlet.write(Buffer.from(piece));
    if (step % 37 === 0) await reader.takeAll();
  }
  await reader.takeAll();
  assert.equal(reader.text, said);
  assert.equal(consumed(), said.length);
});

test('what waits goes before the end', async () => {
  const { reader, outlet } = joined();
  outlet.write(Buffer.from('first'));
  outlet.write(Buffer.from('second'));
  outlet.flush();
  reader.end('third');
  await reader.takeAll();
  assert.equal(reader.text, 'firstsecondthird');
});

test('credit for what waits comes when it is taken', async () => {
  const { reader, outlet, consumed } = joined();
  outlet.write(Buffer.from('a'));
  outlet.write(Buffer.from('waiting'));
  assert.equal(consumed(), 0);
  await reader.take();
  assert.equal(consumed(), 1);
  await reader.take();
  assert.equal(consumed(), 8);
});

test('a reader with room gets small pieces at once, and joined while one is under way', async () => {
  const { reader, outlet, consumed } = joined(64 * 1024);
  outlet.write(Buffer.from('one'));
  assert.equal(reader.text, 'one');
  for (let index = 0; index < 40_000; index++) outlet.write(Buffer.from('x'));
  assert.ok(reader.writableLength <= 40_003);
  await reader.takeAll();
  assert.ok(reader.pieces.length < 15, `${reader.pieces.length} pieces`);
  assert.equal(consumed(), 40_003);
  outlet.write(Buffer.from('two'));
  assert.ok(reader.text.endsWith('xtwo'));
});

test('a reader that stops is given some of what waits, and the rest in order as it goes on', async () => {
  const { reader, outlet, consumed } = joined(64 * 1024);
  let said = '';
  for (let index = 0; index < 64; index++) {
    const piece = String.fromCharCode(97 + (index % 26)).repeat(16 * 1024);
    said += piece;
    outlet.write(Buffer.from(piece));
  }
  assert.equal(reader.writableLength, IN_HAND);
  while (await reader.take()) assert.ok(reader.writableLength <= IN_HAND);
  assert.equal(reader.text, said);
  assert.equal(consumed(), said.length);
});

test('what waits behind also goes before the end', async () => {
  const { reader, outlet } = joined(64 * 1024);
  for (const letter of 'abc') outlet.write(Buffer.alloc(IN_HAND, letter));
  outlet.write(Buffer.from('small'));
  outlet.flush();
  reader.end('end');
  await reader.takeAll();
  assert.equal(reader.text, `${['a', 'b', 'c'].map((letter) => letter.repeat(IN_HAND)).join('')}smallend`);
});

test('a reader that is gone is not written to', async () => {
  const { reader, outlet } = joined();
  outlet.write(Buffer.from('one'));
  outlet.write(Buffer.from('two'));
  reader.destroy();
  outlet.flush();
  await new Promise(setImmediate);
  assert.equal(reader.text, 'one');
  assert.equal(reader.errored, null);
});
