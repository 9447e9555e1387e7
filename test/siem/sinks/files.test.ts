// A file that something else rotates, cuts or removes: what is delivered is in the file that is there now.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FilesSink } from '#siem/sinks/files';
import { directoryFor } from '../outbox/documents.ts';

function begin(t: TestContext) {
  const path = join(directoryFor(t), 'events.jsonl');
  const sink = new FilesSink({ name: 'disk', path, rotateBytes: 1_000_000, keep: 2 });
  t.after(() => sink.close());
  return {
    path,
    deliver: async (text: string): Promise<void> => {
      await sink.deliver([{ line: Buffer.from(JSON.stringify({ text })) }]);
    },
    texts: (file = path): string[] =>
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).text),
  };
}

test('a file that logrotate renamed is left to it', async (t) => {
  const { path, deliver, texts } = begin(t);
  await deliver('one');
  renameSync(path, `${path}-old`);
  await deliver('two');
  assert.deepEqual([texts(`${path}-old`), texts()], [['one'], ['two']]);
});

test('a file that is gone is made again', async (t) => {
  const { path, deliver, texts } = begin(t);
  await deliver('one');
  rmSync(path);
  await deliver('two');
  assert.deepEqual(texts(), ['two']);
});

test('a file that logrotate cut with copytruncate has no hole', async (t) => {
  const { path, deliver, texts } = begin(t);
  await deliver('one');
  truncateSync(path, 0);
  await deliver('two');
  assert.deepEqual(texts(), ['two']);
});

test('a line that is torn is cut, whoever left it', async (t) => {
  const { path, deliver, texts } = begin(t);
  await deliver('one');
  appendFileSync(path, '{"text":"to');
  await deliver('two');
  assert.deepEqual(texts(), ['one', 'two']);
});
