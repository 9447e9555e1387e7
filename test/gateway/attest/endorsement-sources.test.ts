// Which configured roots, intermediates and revocation lists are taken: by hand-made ones, and by those of OpenSSL.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { EndorsementFiles } from '#gateway/attest/endorsement-files';
import { EndorsementConfigError, Endorsements } from '#gateway/attest/endorsements';
import { parsePublicArea } from '#gateway/attest/public-area';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { LogFields } from '#siem/log';
import { requires } from '#test/requires';
import { EndorsementCa } from './endorsement-ca.ts';
import { SoftwareTpm } from './software-tpm.ts';

const NOW = Date.UTC(2026, 5, 1);
const YEAR = 365 * 86_400_000;
const tpm = new SoftwareTpm();
const rsa = new SoftwareTpm('rsa');

describe('endorsement sources', () => {
  const root = new EndorsementCa('Root');
  const leaf = root.endorse(tpm.ek.publicKey);

  test('that cannot be used are refused at once, by their place', () => {
    const bad = (sources: ConstructorParameters<typeof Endorsements>[0], words: RegExp): void => {
      assert.throws(
        () => new Endorsements(sources),
        (error: unknown) => error instanceof EndorsementConfigError && words.test(error.message),
      );
    };
    const roots = [root.certificate];
    bad({ roots: [root.certificate, Buffer.from('no')] }, /^root 2 is not a certificate/);
    bad({ roots: [leaf] }, /^root 1 is not the certificate of a CA/);
    bad({ roots, intermediates: [Buffer.alloc(9)] }, /^intermediate 1 /);
    bad({ roots, revocationLists: [leaf] }, /^revocation list 1 is not a whole/);
    bad(
      { roots, revocationLists: [new EndorsementCa('Other').revoke([1])] },
      /not signed by any configured CA/,
    );
    bad(
      { roots, revocationLists: [new EndorsementCa('Root').revoke([1])] },
      /not signed by any configured CA/,
    );
    // An indirect or partial list says so in a critical extension: read as a whole one it would hide the rest.
    bad({ roots, revocationLists: [root.revoke([1], NOW + YEAR, '2.5.29.28')] }, /not a whole, direct/);
  });

  test('of OpenSSL are read: RSA-PSS and RSA, revoked by its lists', { skip: requires('openssl') }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-endorsements-'));
    const run = (...args: readonly string[]): void => {
      execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
    };
    const read = (name: string): Buffer => readFileSync(join(directory, name));
    try {
      writeFileSync(
        join(directory, 'ca.cnf'),
        [
          '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30',
          '[ek]\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyEncipherment',
          'extendedKeyUsage=2.23.133.8.1\nauthorityKeyIdentifier=keyid\nsubjectAltName=critical,dirName:tpm',
          '[tpm]\n0.2.23.133.2.1=id:53594C4C\n1.2.23.133.2.2=Model\n2.2.23.133.2.3=id:01\n',
        ].join('\n'),
      );
      writeFileSync(join(directory, 'index'), '');
      writeFileSync(join(directory, 'number'), '01\n');
      writeFileSync(join(directory, 'ek.pub'), rsa.ek.publicKey.export({ format: 'pem', type: 'spki' }));
      for (const [name, options] of [
        ['pss', ['-sigopt', 'rsa_padding_mode:pss']],
        ['plain', []],
      ] as const) {
        const ca = ['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
        run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', ...ca);
        run(
          'req',
          '-new',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-keyout',
          'x.key',
          '-out',
          'x.csr',
          '-subj',
          '/',
        );
        const issue = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '4660', '-days', '30'];
        const profile = ['-extfile', 'ca.cnf', '-extensions', 'ek', '-force_pubkey', 'ek.pub'];
        run(
          'x509',
          '-req',
          '-in',
          'x.csr',
          ...issue,
          ...profile,
          ...options,
          '-outform',
          'DER',
          '-out',
          'ek.der',
        );
        run('x509', '-in', 'ca.pem', '-outform', 'DER', '-out', 'ca.der');
        const key = parsePublicArea(rsa.ekPublic);
        const now = Date.now();
        const roots = [read('ca.der')];
        assert.equal(new Endorsements({ roots }).check(read('ek.der'), key, now).chain[0]?.serial, '1234');
        const database = (revoked: string): Buffer => {
          writeFileSync(join(directory, 'index'), revoked);
          run(
            'ca',
            '-config',
            'ca.cnf',
            '-gencrl',
            '-keyfile',
            'ca.key',
            '-cert',
            'ca.pem',
            '-out',
            'crl.pem',
          );
          run('crl', '-in', 'crl.pem', '-outform', 'DER', '-out', 'crl.der');
          return read('crl.der');
        };
        new Endorsements({ roots, revocationLists: [database('')] }).check(read('ek.der'), key, now);
        const entry = 'R\t491231235959Z\t250101000000Z,keyCompromise\t1234\tunknown\t/CN=x\n';
        const revoking = new Endorsements({ roots, revocationLists: [database(entry)] });
        assert.throws(
          () => revoking.check(read('ek.der'), key, now),
          (error: unknown) => error instanceof AttestationRefusal && error.code === 'ek-certificate-revoked',
        );
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('files of endorsement sources', () => {
  const maker = new EndorsementCa('Maker');

  function following(t: TestContext) {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-endorsements-'));
    const [root, list] = [join(directory, 'root.der'), join(directory, 'list.der')];
    writeFileSync(root, maker.certificate);
    writeFileSync(list, maker.revoke([1]));
    const told: string[] = [];
    const tell = ({ err }: LogFields): void => void told.push((err as Error).message);
    const quiet = (): void => undefined;
    const log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: tell, fatal: quiet };
    const files = new EndorsementFiles({ roots: [root], intermediates: [], revocationLists: [list] }, log);
    t.after(() => {
      files.close();
      rmSync(directory, { recursive: true, force: true });
    });
    return { files, list, told };
  }

  test('that cannot even be looked at are told of once, and those before stay', (t) => {
    const { files, list, told } = following(t);
    const before = files.current;
    rmSync(list);
    symlinkSync(list, list);
    for (let again = 0; again < 2; again += 1) files.look();
    assert.equal(told.length, 1, told.join());
    assert.match(told[0] ?? '', /ELOOP/);
    // Whatever was in a pipe's place would be waited for.
    rmSync(list);
    symlinkSync('/dev/null', list);
    files.look();
    assert.match(told[1] ?? '', /list\.der is no regular file/);
    assert.equal(files.current, before);
  });

  test('that could not be read are read as soon as they can be', (t) => {
    const { files, list, told } = following(t);
    const before = files.current;
    const fresh = maker.revoke([1, 2]);
    const written = (bytes: Buffer): void => {
      writeFileSync(list, bytes);
      utimesSync(list, 1_800_000_000, 1_800_000_000);
    };
    written(Buffer.alloc(fresh.length));
    files.look();
    assert.equal(files.current, before);
    assert.equal(told.length, 1);
    written(fresh);
    files.look();
    assert.notEqual(files.current, before);
  });
});
