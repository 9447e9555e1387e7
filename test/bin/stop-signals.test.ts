// How a long-running command reads its signals: stop, the same said twice, and stop at once.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { onStop } from '#bin/stop-signals';

test('a copy of the first signal is not a second one', () => {
  const process = new EventEmitter();
  let time = 0;
  const heard: string[] = [];
  onStop(
    process,
    () => time,
    (signal, atOnce) => void heard.push(`${signal} ${atOnce}`),
  );
  process.emit('SIGTERM');
  time = 299;
  process.emit('SIGTERM');
  assert.deepEqual(heard, ['SIGTERM false']);
  time = 300;
  process.emit('SIGINT');
  assert.deepEqual(heard, ['SIGTERM false', 'SIGINT true']);
});
