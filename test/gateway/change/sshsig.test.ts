// SSH signatures beside OpenSSH's own: what it signs verifies here, what is signed here it verifies, and no other
// bytes pass.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { after, suite, test } from 'node:test';
import { readAllowedSigners, type Signer, signsFor } from '#gateway/change/allowed-signers';
import { SshFormatError, sshString } from '#gateway/change/ssh-reader';
import { readSshSignature } from '#gateway/change/sshsig';
import { requires } from '#test/requires';
import { ChangeBed, NEEDS, publicKey } from './bed.ts';

const TEXT = 'what is signed\n';
const KINDS: readonly (readonly string[])[] = [
  ['-t', 'ed25519'],
  ['-t', 'ecdsa', '-b', '256'],
  ['-t', 'ecdsa', '-b', '384'],
  ['-t', 'ecdsa', '-b', '521'],
  ['-t', 'rsa', '-b', '2048'],
  ['-t', 'rsa', '-b', '3072'],
];

suite('SSH signatures', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());

  for (const kind of KINDS) {
    for (const digest of ['sha256', 'sha512']) {
      test(`ssh-keygen ${kind.join(' ')} with ${digest}: read, and of no other text`, () => {
        const key = bed.key(`${kind.join('')}-${digest}`, ...kind);
        const armour = bed.sign(key, TEXT, 'test', '-O', `hashalg=${digest}`);
        const signature = readSshSignature(armour);
        const listed = spawnSync('ssh-keygen', ['-l', '-f', key], { encoding: 'utf8' }).stdout.split(' ')[1];
        assert.equal(signature.key.fingerprint, listed);
        assert.equal(signature.namespace, 'test');
        assert.ok(signature.covers(Buffer.from(TEXT)));
        assert.ok(!signature.covers(Buffer.from(`${TEXT} `)));
        assert.equal(everyFlippedByte(armour), 0, 'a signature with one byte changed passes');
      });
    }
  }

  test('rsa-sha2-256 counts here and with OpenSSH, SHA-1 with neither', () => {
    for (const [algorithm, digest, counts] of [
      ['rsa-sha2-256', 'sha256', true],
      ['ssh-rsa', 'sha1', false],
    ] as const) {
      const { armour, blob } = rsaSignature(algorithm, digest);
      bed.write('rsa-signers', `rsa@example.com ssh-rsa ${blob.toString('base64')}\n`);
      bed.write('rsa.sig', armour);
      assert.equal(opensshTakes('rsa'), counts);
      const signature = readSshSignature(armour);
      if (counts) assert.ok(signature.covers(Buffer.from(TEXT)));
      else assert.throws(() => signature.covers(Buffer.from(TEXT)), /rsa-sha2-256 or rsa-sha2-512/);
    }
  });

  for (const type of ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com']) {
    test(`${type}: a key that was touched signs, one that was not does not, and OpenSSH agrees on the first`, () => {
      const touched = securityKey(type, 1);
      const signature = readSshSignature(touched.armour);
      assert.ok(signature.covers(Buffer.from(TEXT)));
      assert.ok(!signature.covers(Buffer.from('another text')));
      bed.write('sk-signers', `sk@example.com ${type} ${touched.blob.toString('base64')}\n`);
      bed.write('sk.sig', touched.armour);
      assert.ok(opensshTakes('sk'));
      assert.ok(
        !readSshSignature(securityKey(type, 0).armour).covers(Buffer.from(TEXT)),
        'nobody touched it',
      );
    });
  }

  function opensshTakes(name: string): boolean {
    const verify = [
      '-Y',
      'verify',
      '-f',
      bed.path(`${name}-signers`),
      '-I',
      `${name}@example.com`,
      '-n',
      'test',
    ];
    return spawnSync('ssh-keygen', [...verify, '-s', bed.path(`${name}.sig`)], { input: TEXT }).status === 0;
  }

  test('what is no signature says so', () => {
    const armour = bed.sign(bed.key('broken'), TEXT, 'test');
    const bytes = Buffer.from(body(armour), 'base64');
    const wrong: Readonly<Record<string, string>> = {
      'no armour': body(armour),
      'not base64': armour.replace(/\n(.)/, '\n!$1'),
      'cut short': armoured(bytes.subarray(0, -1)),
      'a byte too many': armoured(Buffer.concat([bytes, Buffer.from([0])])),
      'another version': armoured(
        Buffer.concat([bytes.subarray(0, 9), Buffer.from([2]), bytes.subarray(10)]),
      ),
      'a huge length': armoured(
        Buffer.concat([bytes.subarray(0, 10), Buffer.alloc(4, 0xff), bytes.subarray(14)]),
      ),
      'too long': `${armour}${' '.repeat(9_000)}`,
    };
    for (const [name, text] of Object.entries(wrong)) {
      assert.throws(() => readSshSignature(text), SshFormatError, name);
    }
  });

  test('short RSA keys and DSA keys are none', () => {
    const weak = bed.key('weak', '-t', 'rsa', '-b', '1024');
    assert.throws(
      () => readAllowedSigners(`ada ${publicKey(weak)}`),
      /line 1: an RSA key has at least 2048 bits/,
    );
    const dsa = Buffer.concat(['ssh-dss', 'p', 'q', 'g', 'y'].map(sshString)).toString('base64');
    assert.throws(
      () => readAllowedSigners(`\nada ssh-dss ${dsa}`),
      /line 2: keys of type "ssh-dss" are not known/,
    );
  });
});

suite('allowed signers', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());
  const key = (): string => publicKey(bed.key('one'));

  test('names, options and comments are read as ssh-keygen reads them', () => {
    const one = key();
    const text = `# who may\n\nada@example.com namespaces="git,sallyport-*",valid-after="20260301Z",valid-before="202604011230Z" ${one} a comment\n`;
    const [signer] = readAllowedSigners(text) as [Signer];
    assert.equal(signer.principal, 'ada@example.com');
    assert.deepEqual(signer.namespaces, ['git', 'sallyport-*']);
    assert.equal(signer.validAfter, Date.UTC(2026, 2, 1));
    assert.equal(signer.validBefore, Date.UTC(2026, 3, 1, 12, 30));
  });

  test('what the namespaces of a key exclude it does not sign for, as with ssh-keygen', () => {
    const one = publicKey(bed.key('three'));
    const may = (namespaces: string): boolean => {
      const [signer] = readAllowedSigners(`ada namespaces="${namespaces}" ${one}`) as [Signer];
      return signsFor(signer, 'sallyport-change');
    };
    assert.deepEqual(['*', 'sallyport-*', 'git,sallyport-change', '!git,*'].map(may), [
      true,
      true,
      true,
      true,
    ]);
    assert.deepEqual(['*,!sallyport-change', '!sallyport-*,*', '!git', 'git'].map(may), [
      false,
      false,
      false,
      false,
    ]);
  });

  test('what would blur who a person is, or is not known, is refused with its line', () => {
    const one = publicKey(bed.key('two'));
    const wrong: readonly (readonly [string, RegExp])[] = [
      [`*@example.com ${one}`, /line 1: "\*@example\.com" must be one name/],
      [`ada,eve ${one}`, /must be one name/],
      [`ada ${one}\neve ${one}`, /line 2: the key is listed for ada already/],
      [`ada cert-authority ${one}`, /certificate authorities are not taken/],
      [`ada valid-after="tomorrow" ${one}`, /"tomorrow" is no time/],
      [`ada valid-before="20260231Z" ${one}`, /"20260231Z" is no time/],
      [`ada namespaces="git",namespaces="*" ${one}`, /the option namespaces is here twice/],
      [`ada ${'a-long-word-instead-of-an-option-'.repeat(8)}! ${one}`, /expected `name \[options\]/],
      [`ada verify-required ${one}`, /the option verify-required is not known/],
      [`ada ${one.replace('ssh-ed25519', 'ecdsa-sha2-nistp256')}`, /the key is of type ssh-ed25519/],
      ['ada', /expected `name \[options\] key-type base64-key`/],
    ];
    for (const [text, message] of wrong) assert.throws(() => readAllowedSigners(text), message);
  });
});

function body(armour: string): string {
  return armour.trim().split('\n').slice(1, -1).join('');
}

function armoured(bytes: Buffer): string {
  return `-----BEGIN SSH SIGNATURE-----\n${bytes.toString('base64')}\n-----END SSH SIGNATURE-----\n`;
}

/** How many of the signatures with one byte changed still cover the text for the same key and purpose. */
function everyFlippedByte(armour: string): number {
  const bytes = Buffer.from(body(armour), 'base64');
  const { key, namespace } = readSshSignature(armour);
  let passed = 0;
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
    try {
      const signature = readSshSignature(armoured(changed));
      const same = signature.key.fingerprint === key.fingerprint && signature.namespace === namespace;
      if (same && signature.covers(Buffer.from(TEXT))) passed += 1;
    } catch (error) {
      if (!(error instanceof SshFormatError)) throw error;
    }
  }
  return passed;
}

/** A signature as a security key makes it, which cannot be in this machine. `flags` 1: somebody touched it. */
function securityKey(type: string, flags: number): { armour: string; blob: Buffer } {
  const elliptic = type.startsWith('sk-ecdsa');
  const { privateKey, publicKey: pair } = elliptic
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519');
  const { x = '', y = '' } = pair.export({ format: 'jwk' });
  const point = elliptic
    ? [
        sshString('nistp256'),
        sshString(
          Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
        ),
      ]
    : [sshString(Buffer.from(x, 'base64url'))];
  const blob = Buffer.concat([sshString(type), ...point, sshString('ssh:')]);
  const trailer = Buffer.from([flags, 0, 0, 0, 7]);
  const signed = Buffer.concat([
    hash('sha256', 'ssh:', 'buffer'),
    trailer,
    hash('sha256', toBeSigned(), 'buffer'),
  ]);
  const raw = sign(elliptic ? 'sha256' : null, signed, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const proper = elliptic ? Buffer.concat([mpint(raw.subarray(0, 32)), mpint(raw.subarray(32))]) : raw;
  const signature = Buffer.concat([sshString(type), sshString(proper), trailer]);
  return { armour: signatureOf(blob, signature), blob };
}

function rsaSignature(algorithm: string, digest: string): { armour: string; blob: Buffer } {
  const { privateKey, publicKey: pair } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = pair.export({ format: 'jwk' });
  const numbers = [e, n].map((one) => mpint(Buffer.from(one, 'base64url')));
  const blob = Buffer.concat([sshString('ssh-rsa'), ...numbers]);
  const signature = [algorithm, sign(digest, toBeSigned(), privateKey)].map(sshString);
  return { armour: signatureOf(blob, Buffer.concat(signature)), blob };
}

/** What a key signs: the text's hash within SSHSIG's own words. */
function toBeSigned(): Buffer {
  const parts = ['test', '', 'sha512', hash('sha512', TEXT, 'buffer')].map(sshString);
  return Buffer.concat([Buffer.from('SSHSIG'), ...parts]);
}

function signatureOf(blob: Buffer, signature: Buffer): string {
  const parts = [blob, 'test', '', 'sha512', signature].map(sshString);
  return armoured(Buffer.concat([Buffer.from('SSHSIG'), Buffer.from([0, 0, 0, 1]), ...parts]));
}

function mpint(bytes: Buffer): Buffer {
  const digits = bytes.subarray(
    Math.max(
      0,
      bytes.findIndex((byte) => byte !== 0),
    ),
  );
  return sshString((digits[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}
