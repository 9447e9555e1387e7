// A disk that is really full: no record is said to be kept that is not, and the outbox recovers by itself.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OutboxError } from '#siem/outbox/error';
import { Outbox } from '#siem/outbox/outbox';
import { readOutbox } from '#siem/outbox/read';
import { document } from './documents.ts';

/** A file system of `kib` KiB, or why there can be none. */
function smallDisk(t: TestContext, kib: number): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=0700`, 'tmpfs', directory]);
  t.after(() => {
    if (mounted.status === 0) execFileSync('umount', [directory]);
    rmdirSync(directory);
  });
  if (mounted.status !== 0) return undefined;
  return directory;
}

test('a full disk refuses, keeps what was answered, and works again when there is room', async (t) => {
  const disk = smallDisk(t, 512);
  if (disk === undefined) return t.skip('skipped: mounting a small tmpfs needs root');
  const directory = join(disk, 'outbox');
  const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 64 * 1024 });
  outbox.keepFrom('sink', 1);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(128 * 1024));

  const kept: string[] = [];
  const failures = new Set<unknown>();
  const fill = async (): Promise<void> => {
    const batch = Array.from({ length: 40 }, () => document({ filler: 700 }));
    const answers = await Promise.allSettled(
      batch.map((one, index) => outbox.append(one, { durable: index % 5 === 0 })),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') kept.push(batch[index]?.event.id ?? '');
      else failures.add(answer.reason instanceof OutboxError ? answer.reason.code : answer.reason);
    }
  };
  while (failures.size === 0) await fill();
  for (let again = 0; again < 5; again++) await fill();
  assert.deepEqual([...failures], ['no-space']);
  assert.equal(outbox.healthy, false);

  rmSync(join(disk, 'ballast'));
  const before = kept.length;
  await fill();
  assert.equal(kept.length, before + 40);
  assert.equal(outbox.healthy, true);
  assert.equal(outbox.takeInterruption()?.code, 'no-space');
  await outbox.close();

  const entries = await Array.fromAsync(
    readOutbox(directory, { onDamage: () => assert.fail('a torn record') }),
  );
  const found = entries.map((entry) => entry.document.event);
  assert.deepEqual(
    found.map(({ sequence }) => sequence),
    found.map((_, index) => index + 1),
  );
  assert.deepEqual(
    kept.filter((id) => !found.some((event) => event.id === id)),
    [],
  );
});
