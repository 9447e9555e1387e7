// Program files beside the signed manifest of their release: one byte, one file more or less, and every way in which a
// manifest vouches for nothing.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { after, suite, test } from 'node:test';
import { readAllowedSigners } from '#gateway/change/allowed-signers';
import {
  installationRoot,
  isBuilt,
  MANIFEST,
  makeManifest,
  shippedFiles,
  writeManifest,
} from '#gateway/release/manifest';
import { type Measured, measure } from '#gateway/release/measure';
import { requires } from '#test/requires';
import { ChangeBed, publicKey } from '../change/bed.ts';

test('a clone measures what its rooms hold, and nothing that is installed or made', () => {
  const root = installationRoot();
  assert.equal(isBuilt(root), false);
  const files = shippedFiles(root, false);
  for (const file of ['gateway/gateway.ts', 'bin/sallyport.js', 'package.json'])
    assert.ok(files.includes(file), file);
  assert.deepEqual(
    files.filter((file) => /^(node_modules|test|dist)\//.test(file)),
    [],
  );
});

suite('measured code', { skip: requires('ssh-keygen') }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());
  const root = bed.path('installed');
  const [maker, retired, stranger] = ['maker', 'retired', 'stranger'].map((name) => bed.key(name));
  const signers = readAllowedSigners(
    `maker@example.com ${publicKey(maker ?? '')}\nretired@example.com valid-before="20200101Z" ${publicKey(retired ?? '')}\n`,
  );
  const packageJson = { name: 'sallyport', version: '1.2.3', files: ['bin/run.js', 'dist', 'README.md'] };
  bed.write('installed/package.json', JSON.stringify(packageJson));
  for (const path of ['bin/run.js', 'dist/gateway/flow.js', 'dist/policy/decide.js', 'README.md'])
    bed.write(`installed/${path}`, `// ${path}\n`);
  const manifest = `${root}/${MANIFEST}`;

  const release = (by = maker, namespace = 'sallyport-release'): void => {
    const text = writeManifest(makeManifest(root, true));
    writeFileSync(manifest, text);
    writeFileSync(`${manifest}.sig`, by === undefined ? '' : bed.sign(by, text, namespace));
  };
  const measured = (): Measured => measure({ root, built: true, signers, now: Date.UTC(2026, 2, 4) });
  const unproven = (code: string): void => {
    const { verdict, code: found } = measured();
    assert.deepEqual([verdict, found], ['unproven', code]);
  };

  test('a release that nobody touched is as it was released', () => {
    unproven('manifest-missing');
    release();
    const { verdict, version, signers: by, changed, missing, added } = measured();
    assert.deepEqual([verdict, version, by], ['as-released', '1.2.3', ['maker@example.com']]);
    assert.deepEqual([changed, missing, added], [[], [], []]);
  });

  test('a byte, a file that is gone and a file too many are named', () => {
    const flow = `${root}/dist/gateway/flow.js`;
    const before = readFileSync(flow);
    appendFileSync(flow, ' ');
    renameSync(`${root}/dist/policy/decide.js`, `${root}/dist/policy/more.js`);
    const { verdict, changed, missing, added } = measured();
    assert.equal(verdict, 'drifted');
    assert.deepEqual(changed, ['dist/gateway/flow.js']);
    assert.deepEqual([missing, added], [['dist/policy/decide.js'], ['dist/policy/more.js']]);
    renameSync(`${root}/dist/policy/more.js`, `${root}/dist/policy/decide.js`);
    writeFileSync(flow, before);
    assert.equal(measured().verdict, 'as-released');
  });

  test('a manifest vouches for nothing unless somebody who may has signed it', () => {
    writeFileSync(`${manifest}.sig`, '');
    unproven('unsigned');
    release(stranger);
    unproven('unknown-signer');
    release(retired);
    unproven('key-expired');
    release(maker, 'sallyport-change');
    unproven('foreign-signed');
    release();
    appendFileSync(manifest, '\n');
    unproven('tampered');
    writeFileSync(manifest, '{}');
    unproven('malformed');
    rmSync(manifest);
    unproven('manifest-missing');
  });
});
