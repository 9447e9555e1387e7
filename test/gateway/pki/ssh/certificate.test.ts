// SSH certificates and revocation lists beside OpenSSH's own: ssh-keygen reads every field as it was meant, what it
// signs is read here, and no other bytes pass.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { SshFormatError, SshReader, sshString } from '#gateway/change/ssh-reader';
import { openFileKey, sealKey } from '#gateway/pki/signer/file-key';
import {
  readSshCertificate,
  type SshCertificateBody,
  writeSshCertificate,
} from '#gateway/pki/ssh/certificate';
import { readKrl, writeKrl } from '#gateway/pki/ssh/krl';
import { readKeyLine } from '#gateway/pki/ssh/public-key';
import { authorityLine, fingerprintOf, type SshSigner, sshSigner } from '#gateway/pki/ssh/signing-key';
import { requires } from '#test/requires';

const KINDS: readonly (readonly string[])[] = [
  ['-t', 'ed25519'],
  ['-t', 'ecdsa', '-b', '256'],
  ['-t', 'ecdsa', '-b', '384'],
  ['-t', 'ecdsa', '-b', '521'],
];

/** An authority with a key of its own. */
function authority(): SshSigner {
  const access = { passphrase: () => 'correct horse battery staple' };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return sshSigner(openFileKey(sealKey(privateKey, access), access, 'test'));
}

suite('SSH certificates', { skip: requires('ssh-keygen') }, () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-ssh-'));
  after(() => rmSync(place, { recursive: true, force: true }));
  const at = (name: string): string => join(place, name);
  const keygen = (...args: string[]): string =>
    execFileSync('ssh-keygen', args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  const signer = authority();

  /** The line of a new key. */
  function newKey(name: string, ...kind: readonly string[]): string {
    keygen('-q', ...kind, '-N', '', '-C', 'somebody', '-f', at(name));
    return readFileSync(at(`${name}.pub`), 'utf8').trim();
  }

  function body(line: string, more: Partial<SshCertificateBody> = {}): SshCertificateBody {
    return {
      key: readKeyLine(line).blob,
      serial: 0xfedcba9876543210n,
      keyId: 'ada@example.com session=s-1 decision=d-1',
      principals: ['deploy', 'ada'],
      validAfter: Date.parse('2026-03-04T10:00:00Z') / 1000,
      validBefore: Date.parse('2026-03-04T10:15:00Z') / 1000,
      criticalOptions: { 'source-address': '10.0.4.0/24,2001:db8::1', 'force-command': '/bin/date' },
      extensions: ['permit-pty', 'permit-X11-forwarding'],
      ...more,
    };
  }

  async function certify(name: string, line: string, more?: Partial<SshCertificateBody>): Promise<Buffer> {
    const blob = await writeSshCertificate(body(line, more), signer);
    const type = new SshReader(blob).text();
    writeFileSync(at(`${name}-cert.pub`), `${type} ${blob.toString('base64')} somebody\n`);
    return blob;
  }

  for (const kind of KINDS) {
    const name = kind.filter((word) => !word.startsWith('-')).join('-');
    test(`${name}: ssh-keygen reads every field, and what is read back here is the same`, async () => {
      const line = newKey(name, ...kind);
      const blob = await certify(name, line);
      const listed = keygen('-L', '-f', at(`${name}-cert.pub`))
        .split('\n')
        .map((text) => text.trim());
      const fingerprint = keygen('-l', '-f', at(`${name}.pub`)).split(' ')[1];
      for (const expected of [
        /^Type: \S+-cert-v01@openssh.com user certificate$/,
        new RegExp(`^Public key: \\S+ ${fingerprint?.replaceAll('+', '\\+')}$`),
        new RegExp(
          `^Signing CA: ECDSA ${fingerprintOf(signer.blob).replaceAll('+', '\\+')} \\(using ecdsa-sha2-nistp256\\)$`,
        ),
        /^Key ID: "ada@example.com session=s-1 decision=d-1"$/,
        /^Serial: 18364758544493064720$/,
        /^Valid: from 2026-03-04T10:00:00 to 2026-03-04T10:15:00$/,
        /^source-address 10.0.4.0\/24,2001:db8::1$/,
        /^force-command \/bin\/date$/,
      ]) {
        assert.equal(
          listed.filter((text) => expected.test(text)).length,
          1,
          `${expected} in ${listed.join('\n')}`,
        );
      }
      const from = (title: string): string[] => {
        const start = listed.indexOf(title) + 1;
        const end = listed.findIndex((text, index) => index >= start && (text.endsWith(':') || text === ''));
        return listed.slice(start, end);
      };
      assert.deepEqual(from('Principals:'), ['deploy', 'ada']);
      assert.deepEqual(from('Extensions:'), ['permit-X11-forwarding', 'permit-pty']);
      const read = readSshCertificate(blob);
      assert.deepEqual(read, {
        ...body(line),
        ...{ kind: 'user', authority: signer.blob, extensions: ['permit-X11-forwarding', 'permit-pty'] },
      });
    });

    test(`${name}: what ssh-keygen signs is read here`, () => {
      const line = newKey(`${name}-theirs`, ...kind);
      newKey(`${name}-ca`, '-t', 'ed25519');
      const words = ['-I', 'some body', '-n', 'deploy', '-z', '7', '-V', '20260304100000Z:20260304101500Z'];
      keygen(
        '-q',
        '-s',
        at(`${name}-ca`),
        ...words,
        '-O',
        'source-address=10.0.4.7',
        at(`${name}-theirs.pub`),
      );
      const text = readFileSync(at(`${name}-theirs-cert.pub`), 'utf8').split(' ')[1] ?? '';
      const { authority: ca, ...read } = readSshCertificate(Buffer.from(text, 'base64'));
      const { key, validAfter, validBefore } = body(line);
      assert.deepEqual(read, {
        ...{
          key,
          kind: 'user',
          serial: 7n,
          keyId: 'some body',
          principals: ['deploy'],
          validAfter,
          validBefore,
        },
        criticalOptions: { 'source-address': '10.0.4.7' },
        extensions: [
          'permit-X11-forwarding',
          'permit-agent-forwarding',
          'permit-port-forwarding',
          'permit-pty',
          'permit-user-rc',
        ],
      });
      assert.equal(fingerprintOf(ca), keygen('-l', '-f', at(`${name}-ca.pub`)).split(' ')[1]);
    });
  }

  test('security keys are certified too', async () => {
    for (const [type, fields] of [
      ['sk-ssh-ed25519@openssh.com', [ed25519Point()]],
      ['sk-ecdsa-sha2-nistp256@openssh.com', [Buffer.from('nistp256'), p256Point()]],
    ] as const) {
      const blob = Buffer.concat([type, ...fields, 'ssh:'].map(sshString));
      const line = `${type} ${blob.toString('base64')}`;
      const certificate = await certify('sk', line);
      assert.match(
        keygen('-L', '-f', at('sk-cert.pub')),
        new RegExp(`Type: ${type.replace('@openssh.com', '')}-cert`),
      );
      assert.deepEqual(readSshCertificate(certificate).key, blob);
    }
  });

  test('no certificate with a byte changed, missing or too many is read', async () => {
    const blob = await certify('broken', newKey('broken', '-t', 'ed25519'));
    let passed = 0;
    const tried = (bytes: Buffer): void => {
      try {
        readSshCertificate(bytes);
        passed += 1;
      } catch (error) {
        assert.ok(error instanceof SshFormatError, String(error));
      }
    };
    for (let index = 0; index < blob.length; index += 1) {
      const changed = Buffer.from(blob);
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      tried(changed);
      tried(blob.subarray(0, index));
    }
    tried(Buffer.concat([blob, Buffer.alloc(1)]));
    assert.equal(passed, 0);
  });

  test('nothing is written that sshd would take for more than was meant', async () => {
    const line = newKey('strict', '-t', 'ed25519');
    for (const more of [
      { principals: [] },
      { principals: Array.from({ length: 257 }, (_, index) => `a${index}`) },
      ...['', 'a,b', 'a b', 'a\n', 'a\0', '*', '-a', 'é', 'a'.repeat(65)].map((one) => ({
        principals: ['ok', one],
      })),
      ...['', 'a\nb', 'a\0', ' a', 'a'.repeat(513)].map((keyId) => ({ keyId })),
      { validAfter: 10, validBefore: 10 },
      { validAfter: 10, validBefore: Number.NaN },
      { validAfter: -1 },
    ]) {
      await assert.rejects(writeSshCertificate(body(line, more), signer), RangeError, JSON.stringify(more));
    }
  });

  test('revocation lists: ssh-keygen finds what is in them, and nothing else', async () => {
    const other = authority();
    const line = newKey('listed', '-t', 'ed25519');
    const key = signer.blob.toString('base64');
    const revoked = [7n, 2n ** 64n - 1n, 7n, 1n].map((serial) => ({ authority: key, serial }));
    const krl = writeKrl(
      [...revoked, { authority: other.blob.toString('base64'), serial: 9n }],
      1_772_618_400_000,
    );
    writeFileSync(at('krl'), krl);
    for (const [serial, is] of [
      [7n, true],
      [2n ** 64n - 1n, true],
      [1n, true],
      [8n, false],
      [9n, false],
      [2n ** 63n, false],
    ] as const) {
      await certify('listed', line, { serial });
      const { status, stdout } = spawnSync('ssh-keygen', ['-Q', '-f', at('krl'), at('listed-cert.pub')], {
        encoding: 'utf8',
      });
      assert.equal(status === 0, !is, `${serial}: ${stdout}`);
      assert.match(stdout, is ? /REVOKED/ : /ok/);
    }
    assert.deepEqual(
      new Set(readKrl(krl).map(({ serial }) => serial)),
      new Set([1n, 7n, 2n ** 64n - 1n, 9n]),
    );
    writeFileSync(at('krl'), writeKrl([], Date.now()));
    assert.match(keygen('-Q', '-f', at('krl'), at('listed-cert.pub')), /ok/);
    assert.match(keygen('-Q', '-l', '-f', at('krl')), /# KRL version \d{13}/);
  });

  test('the authority is a line that ssh-keygen reads', () => {
    writeFileSync(at('ca.pub'), authorityLine(signer.blob.toString('base64'), 'sallyport'));
    assert.match(
      keygen('-l', '-f', at('ca.pub')),
      new RegExp(fingerprintOf(signer.blob).replaceAll('+', '\\+')),
    );
  });
});

function ed25519Point(): Buffer {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

function p256Point(): Buffer {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    format: 'jwk',
  });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}
