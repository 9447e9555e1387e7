// Keys in files, in a PKCS#11 token (SoftHSM) and in a TPM (swtpm) keep one contract.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeKey, openKey } from '#gateway/pki/signer/key-file';
import type { KeyAccess } from '#gateway/pki/signer/signer';
import { type SoftwareTpm, TPM_NEEDS, TpmMaker } from '#test/connectors/device/swtpm';
import { signerContract } from '#test/contract/signer';
import { findProgram, requires } from '#test/requires';

const PASSPHRASE = 'correct horse battery staple';
const passphrase = (): string => PASSPHRASE;
const SOFTHSM = '/usr/lib/*/softhsm/libsofthsm2.so';
const PIN = '271828';

signerContract('a file', {
  place: 'file',
  skip: false,
  start: async () => ({ access: { passphrase }, stop: async () => {} }),
  locked: () => ({ passphrase: () => 'another passphrase' }),
});

/** A token of its own in `directory`; SoftHSM finds it by the environment. */
function softToken(directory: string): KeyAccess {
  const tokens = mkdtempSync(join(directory, 'tokens-'));
  const configuration = join(tokens, 'softhsm2.conf');
  mkdirSync(join(tokens, 'objects'));
  writeFileSync(configuration, `directories.tokendir = ${join(tokens, 'objects')}\nlog.level = ERROR\n`);
  process.env['SOFTHSM2_CONF'] = configuration;
  const words = ['--init-token', '--free', '--label', 'sallyport', '--pin', PIN, '--so-pin', PIN];
  execFileSync(findProgram('softhsm2-util') ?? '', words, { stdio: 'ignore' });
  const module = findProgram(SOFTHSM) ?? '';
  return { passphrase, pkcs11: { module, token: 'sallyport', pin: () => PIN } };
}

signerContract('a PKCS#11 token', {
  place: 'pkcs11',
  skip: requires('softhsm2-util', 'pkcs11-tool', SOFTHSM),
  start: async (directory) => ({
    access: softToken(directory),
    stop: async () => {
      delete process.env['SOFTHSM2_CONF'];
    },
  }),
  locked: ({ pkcs11, ...access }) => ({
    ...access,
    ...(pkcs11 === undefined ? {} : { pkcs11: { ...pkcs11, pin: () => '000000' } }),
  }),
  emptied: async (directory) => softToken(directory),
});

let tpm: SoftwareTpm | undefined;
signerContract('a TPM', {
  place: 'tpm',
  skip: requires(...TPM_NEEDS),
  start: async (directory) => {
    tpm = await new TpmMaker(join(directory, 'maker')).make(join(directory, 'tpm'));
    return { access: { passphrase, tpm: tpm.address }, stop: async () => tpm?.off() };
  },
  emptied: async (_, access) => {
    await tpm?.clear();
    return access;
  },
});

const place = mkdtempSync(join(tmpdir(), 'sallyport-file-key-'));
after(() => rmSync(place, { recursive: true, force: true }));

test('a key in a file that was changed does not open, nor does a short passphrase seal one', async () => {
  const path = join(place, 'a.key');
  await makeKey(path, 'file', { passphrase });
  const record = JSON.parse(readFileSync(path, 'utf8'));
  const sealed = Buffer.from(record.sealed, 'base64');
  sealed[3] = (sealed[3] ?? 0) ^ 1;
  writeFileSync(path, JSON.stringify({ ...record, sealed: sealed.toString('base64') }));
  assert.throws(() => openKey(path, { passphrase }), { code: 'key-locked' });
  // The public half is what is sealed with it: nobody passes another one off for it.
  await makeKey(join(place, 'b.key'), 'file', { passphrase });
  const other = JSON.parse(readFileSync(join(place, 'b.key'), 'utf8'));
  writeFileSync(path, JSON.stringify({ ...record, public: other.public }));
  assert.throws(() => openKey(path, { passphrase }), { code: 'key-locked' });
  await assert.rejects(makeKey(path, 'file', { passphrase: () => 'short' }), { code: 'key-locked' });
});
