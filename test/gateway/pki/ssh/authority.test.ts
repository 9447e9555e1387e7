// The keys that sign SSH certificates turn with both of them published, and one that was lost is gone at once.
import assert from 'node:assert/strict';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SshAuthority } from '#gateway/pki/ssh/authority';

const MINUTE = 60_000;
const DAY = 86_400_000;
const place = mkdtempSync(join(tmpdir(), 'sallyport-ssh-keys-'));
after(() => rmSync(place, { recursive: true, force: true }));

let time = Date.parse('2026-03-04T10:00:00Z');
const now = (): number => time;

describe('the keys', () => {
  const files = (name: string): string[] => globSync('user-*.key', { cwd: join(place, name) }).sort();

  test('turn: the next is published before it signs, the one before until what it signed has ended', async () => {
    const ring = await SshAuthority.open(join(place, 'turning'), { now });
    const first = ring.signer.blob;
    await ring.keep({ from: [time + DAY] });
    assert.deepEqual(
      ring.keys.map(({ signsFrom }) => signsFrom),
      [time, time + DAY],
    );
    time += DAY - 1;
    assert.deepEqual(ring.signer.blob, first);
    time += 1;
    const second = ring.signer.blob;
    assert.notDeepEqual(second, first);
    time += DAY;
    assert.equal(ring.tidy(), false);
    assert.equal(ring.keys.length, 2);
    time += 1;
    assert.equal(ring.tidy(), true);
    assert.deepEqual(
      ring.keys.map((key) => key.blob),
      [second.toString('base64')],
    );
    assert.equal(files('turning').length, 1);
    const again = await SshAuthority.open(join(place, 'turning'), { now });
    assert.deepEqual(again.signer.blob, second);
  });

  test('one that was lost is replaced at once, and nothing of it stays', async () => {
    const ring = await SshAuthority.open(join(place, 'lost'), { now });
    await ring.keep({ from: [time + DAY] });
    const before = ring.keys.map(({ blob: one }) => one);
    assert.equal(before.length, 2);
    time += 1;
    await ring.keep({ from: [time], lost: time });
    assert.equal(ring.keys.length, 1);
    assert.ok(!before.includes(ring.signer.blob.toString('base64')));
    assert.equal(files('lost').length, 1);
  });

  test('a clock that was set back is no reason to sign with none', async () => {
    const ring = await SshAuthority.open(join(place, 'back'), { now });
    const before = ring.signer.blob;
    time -= 10 * MINUTE;
    assert.deepEqual(ring.signer.blob, before);
    time += 10 * MINUTE;
  });

  test('are in files that nobody else can read, sealed', async () => {
    await SshAuthority.open(join(place, 'own'), { now });
    const [file = ''] = files('own');
    const path = join(place, 'own', file);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(path, 'utf8'), /PRIVATE|MIG[HTI]AgEAMBMGByqGSM49/);
    chmodSync(path, 0o640);
    await assert.rejects(SshAuthority.open(join(place, 'own'), { now }), { code: 'loose-mode' });
    chmodSync(path, 0o600);
  });
});
