// What a command has said is out before it ends, however slow its reader; a pipe takes 64 KiB at a time.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const APPS: readonly string[] = Array.from({ length: 4000 }, (_, i) => `shell-${i}.prod`);

/** Says some hundred kilobytes, which nobody reads yet; until it is over, or has had time to be. */
async function unread(): Promise<{ child: ChildProcess; ended: Promise<unknown[]> }> {
  const main = join(import.meta.dirname, '../../bin/main.ts');
  const words = [main, 'ssh-config', '--no-certificate', ...APPS];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'readable');
  await Promise.race([ended, sleep(2_000)]);
  return { child, ended };
}

test('a command waits for a slow reader', async () => {
  const { child, ended } = await unread();
  let text = '';
  for await (const chunk of child.stdout ?? []) text += chunk;
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual([...text.matchAll(/^Host (.*)$/gm)].map(([, app]) => app).length, APPS.length);
});

test('a command that waits for its reader is ended by a signal', async () => {
  const { child, ended } = await unread();
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
});
