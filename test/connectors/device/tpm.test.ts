// The attester's own TPM commands against real swtpm, and what they give against another implementation.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomBytes, verify, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  attest,
  type DeviceKeys,
  introduce,
  openCredential,
  signWithSessionKey,
  thumbprintOf,
} from '#connectors/device/attester';
import { TpmError } from '#connectors/device/tpm/error';
import { withTpm } from '#connectors/device/tpm/keys';
import { openTpm } from '#connectors/device/tpm/link';
import { jwkOf } from '#connectors/device/tpm/signing-key';
import { Tpm } from '#connectors/device/tpm/tpm';
import { attestationBinding } from '#connectors/wire/evidence';
import { requires } from '#test/requires';
import { type SoftwareTpm, TOOLS_NEEDS, TPM_NEEDS, TpmMaker } from './swtpm.ts';

const KINDS = ['P-384', 'RSA-2048', 'P-256'] as const;
const NONCE = Buffer.alloc(32, 1);
const EXPORTER = Buffer.alloc(32, 2);
const BOUND = { nonce: NONCE, eventLog: Buffer.from('a log'), exporter: EXPORTER };

const skip = requires(...TPM_NEEDS, ...TOOLS_NEEDS);
const root = mkdtempSync(join(tmpdir(), 'sallyport-tpm-'));
const code = (expected: string) => (error: Error) => error instanceof TpmError && error.code === expected;

describe('a TPM', { skip }, () => {
  const maker = new TpmMaker(join(root, 'ca'));
  let tpm: SoftwareTpm;
  let other: SoftwareTpm;
  const keys = new Map<string, DeviceKeys>();

  before(async () => {
    tpm = await maker.make(join(root, 'tpm'));
    other = await maker.make(join(root, 'other'));
  });
  after(async () => {
    await tpm.off();
    await other.off();
    rmSync(root, { recursive: true, force: true });
  });

  for (const kind of KINDS) {
    test(`introduces itself by its ${kind} endorsement key`, async () => {
      const one = await introduce(tpm.address, kind);
      keys.set(kind, one.keys);
      assert.equal(one.ekCertificate === undefined, kind === 'P-256', 'swtpm has certificates for two');
      if (one.ekCertificate !== undefined) {
        const certificate = new X509Certificate(one.ekCertificate);
        assert.equal(certificate.raw.length, one.ekCertificate.length, 'without padding');
        const jwk = certificate.publicKey.export({ format: 'jwk' });
        const number = Buffer.from(jwk.n ?? jwk.x ?? '', 'base64url');
        assert.ok(one.ekPublic.includes(number), 'certificate and EK are of one key');
      }
    });

    test(`opens a credential that tpm2-tools made for its ${kind} endorsement key`, async () => {
      const { ekPublic } = await introduce(tpm.address, kind);
      const mine = keysOf(kind);
      const at = (name: string): string => join(root, `${kind}-${name}`);
      const secret = randomBytes(24);
      writeFileSync(at('secret'), secret);
      const size = Buffer.alloc(2);
      size.writeUInt16BE(ekPublic.length);
      writeFileSync(at('ek.pub'), Buffer.concat([size, ekPublic]));
      const name = Buffer.concat([Buffer.from([0, 0xb]), sha256(mine.attestation.public)]);
      const names = ['-u', at('ek.pub'), '-s', at('secret'), '-n', name.toString('hex'), '-o', at('blob')];
      await tpm.tool('tpm2_makecredential', ...names);
      const blob = credentialOf(readFileSync(at('blob')));
      assert.deepEqual(await openCredential(tpm.address, mine, blob), secret);
      // Made for this AK: another key of the same TPM does not find it.
      const { keys: others } = await introduce(tpm.address, kind);
      await assert.rejects(openCredential(tpm.address, others, blob), TpmError);
    });

    test(`quotes below its ${kind} endorsement key, and tpm2-tools accept the quote`, async () => {
      const mine = keysOf(kind);
      const evidence = await attest(tpm.address, mine, BOUND);
      const extraData = attestationBinding({ ...BOUND, keySpki: spkiOf(mine.session.public) });
      assert.ok(evidence.quoted.includes(extraData) && evidence.key.certifyInfo.includes(extraData));
      assert.equal(evidence.pcrs.length, 8);
      const at = (name: string): string => join(root, `${kind}-${name}`);
      writeFileSync(at('quote'), evidence.quoted);
      writeFileSync(at('signature'), evidence.signature);
      const pem = createPublicKey({ key: jwkOf(mine.attestation.public), format: 'jwk' });
      writeFileSync(at('ak.pem'), pem.export({ type: 'spki', format: 'pem' }));
      const check = ['-u', at('ak.pem'), '-m', at('quote'), '-s', at('signature'), '-g', 'sha256'];
      await tpm.tool('tpm2_checkquote', ...check, '-q', extraData.toString('hex'));
      const others = randomBytes(32).toString('hex');
      await assert.rejects(tpm.tool('tpm2_checkquote', ...check, '-q', others), /./, 'it does check');
    });

    test(`signs with a key below its ${kind} endorsement key`, async () => {
      const mine = keysOf(kind);
      const data = Buffer.from('a proof');
      const signature = await signWithSessionKey(tpm.address, mine, data);
      assert.equal(signature.length, 64);
      const key = createPublicKey({ key: jwkOf(mine.session.public), format: 'jwk' });
      assert.ok(verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature));
      assert.match(thumbprintOf(mine.session.public), /^[\w-]{43}$/);
    });
  }

  test('reads the PCRs that tpm2-tools read', async () => {
    const digest = sha256(Buffer.from('measured'));
    await tpm.extend(7, digest);
    const pcrs = await withTpm(tpm.address, (one) => one.pcrRead([0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 23]));
    assert.equal(pcrs.length, 11);
    assert.deepEqual(pcrs[7], sha256(Buffer.concat([Buffer.alloc(32), digest])));
    const shown = await tpm.tool('tpm2_pcrread', 'sha256:7');
    assert.match(shown.toLowerCase(), new RegExp(pcrs[7]?.toString('hex') ?? '-'));
  });

  test('is left as empty as it was found, also after a failure', async () => {
    const mine = keysOf('P-384');
    const nothing = { credentialBlob: Buffer.alloc(40), encryptedSecret: Buffer.alloc(40) };
    for (let round = 0; round < 4; round += 1) {
      await assert.rejects(openCredential(tpm.address, mine, nothing), code('refused'));
    }
    assert.equal((await tpm.tool('tpm2_getcap', 'handles-transient')).trim(), '');
    assert.equal((await tpm.tool('tpm2_getcap', 'handles-loaded-session')).trim(), '');
    await attest(tpm.address, mine, BOUND);
  });

  test('keeps its keys over a reboot, which its quote counts', async () => {
    const resets = async (): Promise<number> => {
      const { quoted } = await attest(tpm.address, keysOf('P-384'), BOUND);
      return resetCountOf(quoted);
    };
    const first = await resets();
    await tpm.reboot();
    assert.equal(await resets(), first + 1);
  });

  test('does not use the keys of another TPM', async () => {
    await assert.rejects(attest(other.address, keysOf('P-384'), BOUND), code('key-lost'));
    await assert.rejects(attest(other.address, keysOf('RSA-2048'), BOUND), code('key-lost'));
  });

  test('has lost its keys once it was cleared, and keeps who it is', async () => {
    const { ekPublic } = await introduce(tpm.address, 'RSA-2048');
    await tpm.clear();
    for (const kind of KINDS) {
      await assert.rejects(attest(tpm.address, keysOf(kind), BOUND), code('key-lost'), kind);
    }
    assert.deepEqual((await introduce(tpm.address, 'RSA-2048')).ekPublic, ekPublic);
  });

  function keysOf(kind: string): DeviceKeys {
    const found = keys.get(kind);
    assert.ok(found, 'introduced before');
    return found;
  }
});

describe('what is no TPM', () => {
  test('is said to be none, with what to do', async () => {
    await assert.rejects(async () => openTpm('/dev/no-such-tpm'), /switch the TPM on in the firmware/);
    await assert.rejects(async () => openTpm('tpm0'), /give a device like \/dev\/tpmrm0/);
    await assert.rejects(async () => openTpm('swtpm:127.0.0.1:1'), code('no-tpm'));
    await assert.rejects(async () => openTpm('swtpm:192.0.2.1:2321'), code('no-tpm'));
  });

  test('that breaks off, or answers too much or nonsense, is refused', async (t) => {
    const replies = [
      '',
      '8001',
      '8001ffffffff00000000',
      '80010000000b00000000',
      '800100000009000000',
      '00'.repeat(5000),
    ];
    for (const reply of replies) {
      const server = createServer((socket) => {
        socket.once('data', () => socket.end(Buffer.from(reply, 'hex')));
      });
      t.after(() => server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      await assert.rejects(
        withTpm(`swtpm:127.0.0.1:${port}`, (tpm) => tpm.getRandom(8)),
        code('broken'),
        reply.slice(0, 20),
      );
    }
  });

  test('that is busy is asked again', async (t) => {
    let asked = 0;
    const server = createServer((socket) => {
      socket.on('data', () => {
        asked += 1;
        socket.write(Buffer.from(asked < 4 ? '80010000000a00000922' : '80010000000e0000000000020102', 'hex'));
      });
    });
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const tpm = new Tpm(await openTpm(`swtpm:127.0.0.1:${port}`));
    assert.deepEqual(await tpm.getRandom(2), Buffer.from([1, 2]));
    assert.equal(asked, 4);
    await tpm.close();
  });
});

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

/** tpm2-tools' file: magic and version, then TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. */
function credentialOf(file: Buffer): { credentialBlob: Buffer; encryptedSecret: Buffer } {
  const blobEnd = 10 + file.readUInt16BE(8);
  return { credentialBlob: file.subarray(10, blobEnd), encryptedSecret: file.subarray(blobEnd + 2) };
}

function spkiOf(publicArea: Buffer): Buffer {
  return createPublicKey({ key: jwkOf(publicArea), format: 'jwk' }).export({ type: 'spki', format: 'der' });
}

/** Behind magic, type, qualifiedSigner, extraData and clock. */
function resetCountOf(quoted: Buffer): number {
  const signer = 6 + 2 + quoted.readUInt16BE(6);
  return quoted.readUInt32BE(signer + 2 + quoted.readUInt16BE(signer) + 8);
}
