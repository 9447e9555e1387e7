// The verifier against a real TPM: live with swtpm where it is installed, and everywhere with what one said before.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { introduce } from '#connectors/device/attester';
import { Endorsements } from '#gateway/attest/endorsements';
import { parsePublicArea } from '#gateway/attest/public-area';
import { attesterOf, verifyQuote } from '#gateway/attest/quote';
import { AttestationRefusal } from '#gateway/attest/refusal';
import { TOOLS_NEEDS, TPM_NEEDS, TpmMaker } from '#test/connectors/device/swtpm';
import { requires } from '#test/requires';
import { EndorsementCa } from './endorsement-ca.ts';
import { EK_NAMES, live, readRecording, replayRecording } from './recording.ts';
import { nameOf, SoftwareTpm } from './software-tpm.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-live-'));
const skip = requires(...TPM_NEEDS);
let ran = 0;
after(() => {
  rmSync(root, { recursive: true, force: true });
  console.log(
    `attest: live TPM suite ${skip === false ? `ran: ${ran} of ${EK_NAMES.length} with swtpm` : skip}`,
  );
});

for (const ek of EK_NAMES) {
  test(`a recorded TPM with an EK of ${ek} is judged as it was`, () => replayRecording(readRecording(ek)));
}

describe('live TPMs', { skip }, () => {
  for (const ek of EK_NAMES) {
    test(`one with an EK of ${ek} enrols, attests, reboots, changes, is swapped and cleared`, async () => {
      const maker = new TpmMaker(join(root, `${ek}-ca`));
      const tpm = await maker.make(join(root, `${ek}-1`));
      const other = await maker.make(join(root, `${ek}-2`));
      try {
        await live(ek, maker, tpm, other);
        ran += 1;
      } finally {
        await tpm.off();
        await other.off();
      }
    });
  }
});

describe('tpm2-tools', { skip: requires(...TPM_NEEDS, ...TOOLS_NEEDS) }, () => {
  test('quote with RSA keys in both schemes, and say the same of the quote', async () => {
    const maker = new TpmMaker(join(root, 'tools-ca'));
    const tpm = await maker.make(join(root, 'tools'));
    const at = (name: string): string => join(root, `tools-${name}`);
    const flush = (): Promise<string> => tpm.tool('tpm2_flushcontext', '-t');
    try {
      await tpm.tool('tpm2_createek', '-G', 'rsa', '-c', at('ek.ctx'), '-u', at('ek.pub'), '-f', 'tss');
      await flush();
      for (const scheme of ['rsassa', 'rsapss']) {
        const ak = ['-C', at('ek.ctx'), '-c', at('ak.ctx'), '-G', 'rsa', '-g', 'sha256', '-s', scheme];
        await tpm.tool('tpm2_createak', ...ak, '-u', at('ak.pub'), '-f', 'tss');
        await flush();
        await tpm.tool('tpm2_readpublic', '-c', at('ak.ctx'), '-o', at('ak.pem'), '-f', 'pem');
        await flush();
        const nonce = Buffer.alloc(32, 6).toString('hex');
        const quote = ['-c', at('ak.ctx'), '-l', 'sha256:0,1,2,3,4,5,6,7', '-q', nonce, '-g', 'sha256'];
        await tpm.tool(
          'tpm2_quote',
          ...quote,
          '--scheme',
          scheme,
          '-m',
          at('quote'),
          '-s',
          at('signature'),
          '-f',
          'tss',
        );
        await flush();
        const check = [
          '-u',
          at('ak.pem'),
          '-m',
          at('quote'),
          '-s',
          at('signature'),
          '-g',
          'sha256',
          '-q',
          nonce,
        ];
        // tpm2_checkquote 5.4 takes every RSA signature for PKCS #1: it has no say in PSS.
        if (scheme === 'rsassa') await tpm.tool('tpm2_checkquote', ...check);
        const ekName = parsePublicArea(tpm2b(at('ek.pub'))).name;
        const attester = attesterOf(parsePublicArea(tpm2b(at('ak.pub'))), ekName);
        const pcrs = Array.from({ length: 8 }, () => Buffer.alloc(32));
        const evidence = { quoted: read(at('quote')), signature: read(at('signature')), pcrs };
        assert.equal(verifyQuote(evidence, attester).extraData.toString('hex'), nonce);

        const bad = Buffer.from(evidence.signature);
        bad.writeUInt8(bad.readUInt8(40) ^ 1, 40);
        writeFileSync(at('signature'), bad);
        await assert.rejects(tpm.tool('tpm2_checkquote', ...check));
        assert.throws(() => verifyQuote({ ...evidence, signature: bad }, attester), AttestationRefusal);
      }
    } finally {
      await tpm.off();
    }
  });

  test('put a chain into the TPM over two indices, as makers do that give each chip its own CA', async () => {
    const maker = new TpmMaker(join(root, 'chain-ca'));
    const tpm = await maker.make(join(root, 'chain'));
    const put = async (index: string, bytes: Buffer): Promise<void> => {
      const file = join(root, `nv-${index}`);
      writeFileSync(file, bytes);
      const as = ['-C', 'o', '-a', 'ownerwrite|ownerread|authread|no_da'];
      await tpm.tool('tpm2_nvdefine', index, ...as, '-s', String(bytes.length));
      await tpm.tool('tpm2_nvwrite', index, '-C', 'o', '-i', file);
    };
    try {
      const { ekPublic } = await introduce(tpm.address, 'P-256');
      const ek = parsePublicArea(ekPublic);
      const top = new EndorsementCa('Root');
      const middle = new EndorsementCa('Product', top);
      const chip = new EndorsementCa('Chip', middle);
      const chain = Buffer.concat([chip.certificate, middle.certificate]);
      await put('0x01c0000a', chip.endorse(ek.key));
      await put('0x01c00100', chain.subarray(0, 500));
      await put('0x01c00101', Buffer.concat([chain.subarray(500), Buffer.alloc(9, 0xff)]));
      const { ekCertificate = Buffer.alloc(0), ekIntermediates } = await introduce(tpm.address, 'P-256');
      assert.deepEqual(ekIntermediates, [chip.certificate, middle.certificate]);
      const endorsements = new Endorsements({ roots: [top.certificate] });
      const now = Date.UTC(2026, 5, 1);
      assert.equal(endorsements.check(ekCertificate, ek, now, ekIntermediates).chain.length, 3);
    } finally {
      await tpm.off();
    }
  });

  test('make a credential that the TPM of the other tests opens, so that it is a fair one', async () => {
    const maker = new TpmMaker(join(root, 'blob-ca'));
    const host = await maker.make(join(root, 'blob'));
    try {
      for (const kind of ['rsa', 'p256', 'p384'] as const) {
        const tpm = new SoftwareTpm(kind);
        const at = (name: string): string => join(root, `${kind}-${name}`);
        const secret = Buffer.from('a secret of twenty-7 bytes.');
        writeFileSync(at('secret'), secret);
        const size = Buffer.alloc(2);
        size.writeUInt16BE(tpm.ekPublic.length);
        writeFileSync(at('ek'), Buffer.concat([size, tpm.ekPublic]));
        const name = nameOf(tpm.akPublic).toString('hex');
        await host.tool(
          'tpm2_makecredential',
          '-u',
          at('ek'),
          '-s',
          at('secret'),
          '-n',
          name,
          '-o',
          at('blob'),
        );
        // Magic and version, then TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
        const blob = read(at('blob'));
        const end = 10 + blob.readUInt16BE(8);
        assert.deepEqual(tpm.activate(blob.subarray(10, end), blob.subarray(end + 2)), secret);
      }
    } finally {
      await host.off();
    }
  });
});

function read(file: string): Buffer {
  return readFileSync(file);
}

/** The content of a TPM2B. */
function tpm2b(file: string): Buffer {
  return read(file).subarray(2);
}
