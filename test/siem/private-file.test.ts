// What is private, and what is not: the rule for every key, token and password in a file, in both rooms that have it.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { looseness as connectors } from '#connectors/wire/private-file';
import { looseness as gateway } from '#siem/private-file';

const place = mkdtempSync(join(tmpdir(), 'sallyport-private-'));
after(() => rmSync(place, { recursive: true, force: true }));
const NOBODY = 65_534;
const skip = process.geteuid?.() !== 0 && 'only root can give a file to somebody else';

let count = 0;
/** A secret of its own, in a directory of its own. */
function secret(): { directory: string; file: string } {
  count += 1;
  const directory = join(place, String(count));
  mkdirSync(directory, { mode: 0o700 });
  const file = join(directory, 'secret');
  writeFileSync(file, 'x', { mode: 0o600 });
  return { directory, file };
}

for (const [room, looseness] of Object.entries({ gateway, connectors })) {
  describe(room, () => {
    test('a file and a directory of mode 600, 400 or 700 are private', () => {
      const { directory, file } = secret();
      for (const mode of [0o600, 0o400, 0o700]) {
        chmodSync(file, mode);
        assert.equal(looseness(file), undefined);
      }
      assert.equal(looseness(directory), undefined);
    });

    test('any bit for group or others is one too many, and the answer says what to do', () => {
      const { directory, file } = secret();
      for (const bit of [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]) {
        chmodSync(file, 0o600 | bit);
        assert.match(looseness(file) ?? '', new RegExp(`mode ${(0o600 | bit).toString(8)}.* chmod 600 `));
      }
      chmodSync(directory, 0o750);
      assert.match(looseness(directory) ?? '', /mode 750.* chmod 700 /);
    });

    test('a link is as private as what it leads to', () => {
      const [target, link] = [secret(), secret()];
      const path = join(link.directory, 'link');
      symlinkSync(target.file, path);
      assert.equal(looseness(path), undefined);
      chmodSync(target.file, 0o644);
      assert.match(looseness(path) ?? '', /mode 644/);
      chmodSync(target.file, 0o600);
      chmodSync(target.directory, 0o777);
      assert.match(looseness(path) ?? '', /another file in the place/);
    });

    test('a directory in which others may replace the file is refused, unless they may only add to it', () => {
      const { directory, file } = secret();
      for (const [mode, loose] of [
        [0o777, true],
        [0o702, true],
        [0o1777, false],
        [0o755, false],
      ] as const) {
        chmodSync(directory, mode);
        assert.equal(looseness(file) !== undefined, loose, mode.toString(8));
      }
      chmodSync(directory, 0o777);
      assert.match(looseness(file) ?? '', /mode 777.*chmod go-w /);
      // Our own group is who runs us: users have one each, and pods.
      chmodSync(directory, 0o775);
      assert.equal(looseness(file), undefined);
    });

    test('what belongs to somebody else is theirs to open, and so is a group that is not ours', {
      skip,
    }, () => {
      const { directory, file } = secret();
      chownSync(file, NOBODY, 0);
      assert.match(looseness(file) ?? '', /belongs to another user \(65534\)/);
      chownSync(file, 0, 0);
      chmodSync(directory, 0o770);
      chownSync(directory, 0, NOBODY);
      assert.match(looseness(file) ?? '', /another file in the place/);
      chmodSync(directory, 0o700);
      const link = join(directory, 'link');
      symlinkSync(file, link);
      lchownSync(link, NOBODY, NOBODY);
      assert.match(looseness(link) ?? '', /belongs to another user/);
    });

    test('a path that is not there is said to be so', () => {
      assert.throws(() => looseness(join(place, 'nowhere')), { code: 'ENOENT' });
    });
  });
}
