// The ear without a Redis: when those who listen are told that they may have missed something.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { Ear } from '#gateway/state/redis-ear';

class FakeLine extends EventEmitter {
  readonly heard: string[] = [];
  async subscribe(...channels: string[]): Promise<void> {
    this.heard.push(...channels);
  }
  async ping(): Promise<void> {}
  disconnect(): void {}
}

test('who may have missed something is sent to look once there is an answer, and once', {
  timeout: 20_000,
}, async (t) => {
  const made = new EventEmitter();
  const connect = (): Redis => {
    const line = new FakeLine();
    made.emit('line', line);
    return line as unknown as Redis;
  };
  const looks = new EventEmitter();
  let answers = false;
  const ear = new Ear(connect, async () => {
    looks.emit('look');
    if (!answers) throw new Error('Redis did not answer');
    // There is nothing to see, which is an answer.
    return 0;
  });
  t.after(() => ear.close());
  const next = async (): Promise<FakeLine> => ((await once(made, 'line')) as [FakeLine])[0];
  const first = next();
  let missed = 0;
  await ear.listen(
    'revoked',
    () => undefined,
    () => {
      missed += 1;
    },
  );
  assert.equal(missed, 0);

  const second = next();
  (await first).emit('end');
  (await second).emit('ready');
  for (let look = 0; look < 3; look += 1) await once(looks, 'look');
  assert.equal(missed, 0, 'what is open would be closed for nothing');
  assert.deepEqual((await second).heard, ['revoked'], 'meanwhile it hears');

  // That line breaks, too, while it is waited for an answer: the next one tells.
  const third = next();
  (await second).emit('end');
  const line = await third;
  answers = true;
  const looked = once(looks, 'look');
  line.emit('ready');
  await looked;
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(missed, 1);
});
