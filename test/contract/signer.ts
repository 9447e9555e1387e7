// What every place for keys must do, whoever keeps them: one suite for files, PKCS#11 tokens and TPMs.
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sshString } from '#gateway/change/ssh-reader';
import { makeKey, openKey } from '#gateway/pki/signer/key-file';
import { type KeyAccess, type KeyPlace, SignerError } from '#gateway/pki/signer/signer';
import { readSshCertificate, writeSshCertificate } from '#gateway/pki/ssh/certificate';
import { sshSigner } from '#gateway/pki/ssh/signing-key';

export interface PlaceUnderTest {
  readonly place: KeyPlace;
  readonly skip: false | string;
  /** Sets the place up below `directory`. */
  start(directory: string): Promise<{ readonly access: KeyAccess; stop(): Promise<void> }>;
  /** The place with a wrong secret; undefined where it has none. */
  locked?: ((access: KeyAccess) => KeyAccess) | undefined;
  /** The place without the key; undefined where the file is the key. */
  emptied?: ((directory: string, access: KeyAccess) => Promise<KeyAccess>) | undefined;
}

const DATA = Buffer.from('what an authority signs');

export function signerContract(what: string, under: PlaceUnderTest): void {
  describe(`a signer in ${what}`, { skip: under.skip }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-signer-'));
    const path = join(directory, 'one.key');
    let bed: Awaited<ReturnType<PlaceUnderTest['start']>>;
    before(async () => {
      bed = await under.start(directory);
      await makeKey(path, under.place, bed.access);
    });
    after(async () => {
      await bed.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    test('signs so that its public half verifies it, and nothing else', async () => {
      const signer = openKey(path, bed.access);
      assert.equal(signer.place, under.place);
      const signature = await signer.sign(DATA);
      assert.equal(verify('sha256', DATA, signer.publicKey, signature), true);
      assert.equal(verify('sha256', Buffer.from('other'), signer.publicKey, signature), false);
    });

    test('is the same key after it was opened anew', async () => {
      const first = openKey(path, bed.access);
      const again = openKey(path, bed.access);
      assert.equal(again.publicKey.equals(first.publicKey), true);
      assert.equal(verify('sha256', DATA, first.publicKey, await again.sign(DATA)), true);
    });

    test('signs many things at once', async () => {
      const signer = openKey(path, bed.access);
      const texts = Array.from({ length: 8 }, (_, index) => Buffer.from(`text ${index}`));
      const signatures = await Promise.all(texts.map((text) => signer.sign(text)));
      for (const [index, text] of texts.entries()) {
        assert.equal(verify('sha256', text, signer.publicKey, signatures[index] ?? Buffer.alloc(0)), true);
      }
    });

    test('signs an SSH certificate that is read as signed by it', async () => {
      const signer = sshSigner(openKey(path, bed.access));
      const { publicKey } = generateKeyPairSync('ed25519');
      const { x = '' } = publicKey.export({ format: 'jwk' });
      const key = Buffer.concat(['ssh-ed25519', Buffer.from(x, 'base64url')].map(sshString));
      const body = {
        ...{ key, serial: 1n, keyId: 'ada', principals: ['deploy'], validAfter: 1, validBefore: 2 },
        ...{ criticalOptions: {}, extensions: [] },
      };
      // A number of a signature may begin with any bit: each form is seen in so many.
      for (let count = 0; count < 4; count += 1) {
        assert.deepEqual(readSshCertificate(await writeSshCertificate(body, signer)).authority, signer.blob);
      }
    });

    test('makes another key each time', async () => {
      const other = await makeKey(join(directory, 'two.key'), under.place, bed.access);
      assert.equal(other.publicKey.equals(openKey(path, bed.access).publicKey), false);
    });

    test('leaves a file for its owner alone, and refuses it once others can read it', () => {
      assert.equal(statSync(path).mode & 0o777, 0o600);
      chmodSync(path, 0o640);
      assert.throws(() => openKey(path, bed.access), { code: 'loose-mode' });
      chmodSync(path, 0o600);
    });

    test('leaves no private key in clear', () => {
      const text = readFileSync(path, 'utf8');
      assert.doesNotMatch(text, /PRIVATE KEY/);
      // PKCS#8 of a P-256 key begins so; in base64 it would be found whatever surrounds it.
      assert.doesNotMatch(text, /MIG[HTI]AgEAMBMGByqGSM49/);
      const spki = createPublicKey({
        key: Buffer.from(JSON.parse(text).public, 'base64'),
        format: 'der',
        type: 'spki',
      });
      assert.equal(spki.equals(openKey(path, bed.access).publicKey), true);
    });

    const { locked, emptied } = under;
    if (locked !== undefined) {
      test('says so when it is locked', async () => {
        const failure = { name: 'SignerError', code: 'key-locked' };
        await assert.rejects(async () => openKey(path, locked(bed.access)).sign(DATA), failure);
      });
    }

    if (emptied !== undefined) {
      test('says so when the key is gone, or its place is not configured', async () => {
        const { passphrase } = bed.access;
        assert.throws(() => openKey(path, { passphrase }), { code: 'key-place-missing' });
        const elsewhere = await emptied(directory, bed.access);
        await assert.rejects(async () => openKey(path, elsewhere).sign(DATA), { code: 'key-lost' });
      });
    }

    test('refuses a file that is none of its own', () => {
      const bad = join(directory, 'bad.key');
      for (const text of ['', 'x', 'null', '{}', '{"kind":"paper","public":"x"}', '[1]']) {
        writeFileSync(bad, text, { mode: 0o600 });
        assert.throws(() => openKey(bad, bed.access), SignerError);
      }
    });
  });
}
