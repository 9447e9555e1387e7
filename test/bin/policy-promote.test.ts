// `sallyport policy promote --write`: which file is written, and with which mode.
import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '#bin/commands/policy';

test('what a link points to is written, with its mode whatever the umask, and nothing lies about', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-promote-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'policy.yaml');
  const link = join(directory, 'link.yaml');
  writeFileSync(path, 'version: 1\napps: [wiki]\nrules:\n  - { id: s, deny: wiki, mode: shadow }\n');
  chmodSync(path, 0o664);
  symlinkSync('policy.yaml', link);
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  assert.equal(await run(['promote', link, 's', '--write']), 0);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.match(readFileSync(path, 'utf8'), /\{ id: s, deny: wiki \}/);
  assert.equal(statSync(path).mode & 0o777, 0o664);
  assert.deepEqual(readdirSync(directory).sort(), ['link.yaml', 'policy.yaml']);
});
