// Root, intermediate and leaf: how they are made, renewed, replaced, brought from an earlier version and kept offline.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, globSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type CertificateAuthority, type Issued, openAuthority } from '#gateway/pki/authority';
import { AuthorityDirectory } from '#gateway/pki/authority-directory';
import { readRequest } from '#gateway/pki/signing-request';
import { requires } from '#test/requires';
import { earlierAuthority } from './earlier-authority.ts';
import { requestFor } from './signing-request.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-04T10:00:00Z');
const NAME = 'Sallyport connectors';
const URI = 'spiffe://sallyport.internal/connector/rack-1';
const OURS = { trustDomain: 'sallyport.internal', hosts: ['gw.example', '127.0.0.1', '::1'] };
const place = mkdtempSync(join(tmpdir(), 'sallyport-hierarchy-'));
after(() => rmSync(place, { recursive: true, force: true }));

let count = 0;
function fresh(): { directory: string; clock: { time: number }; open(): Promise<CertificateAuthority> } {
  count += 1;
  const directory = join(place, String(count));
  const clock = { time: START };
  const open = (): Promise<CertificateAuthority> =>
    openAuthority(directory, NAME, () => clock.time, { constraints: OURS });
  return { directory, clock, open };
}

async function leaf(authority: CertificateAuthority, uri = URI): Promise<Issued> {
  const grant = { kind: 'admin', id: 'test' } as const;
  return authority.issueClient({ csr: await requestFor(), uri, life: 12 * HOUR, grant });
}

/** What openssl says of a chain at a time: OK, or its error. */
function openssl(text: string, anchors: string, at: number, ...more: string[]): string {
  writeFileSync(join(place, 'shown.pem'), text);
  writeFileSync(join(place, 'anchors.pem'), anchors);
  const words = ['verify', '-x509_strict', '-attime', String(Math.floor(at / 1000)), ...more];
  try {
    const files = ['-CAfile', 'anchors.pem', '-untrusted', 'shown.pem', 'shown.pem'];
    return execFileSync('openssl', [...words, ...files], { cwd: place, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

describe('an authority', { skip: requires('openssl') }, () => {
  test('made anew has a root, one intermediate below it, and no key in clear', async () => {
    const { directory, open } = fresh();
    const authority = await open();
    const [intermediate = ''] = authority.intermediates;
    const root = new X509Certificate(authority.certificate);
    assert.equal(new X509Certificate(intermediate).verify(root.publicKey), true);
    // The constraints of its names are critical: who does not know them must refuse it.
    const critical = Buffer.from('0603551d1e0101ff', 'hex');
    assert.equal(new X509Certificate(intermediate).raw.includes(critical), true);
    for (const file of globSync('*', { cwd: directory })) {
      assert.doesNotMatch(readFileSync(join(directory, file), 'utf8'), /PRIVATE KEY/, file);
    }
    const issued = await leaf(authority);
    assert.match(openssl(issued.certificate, authority.certificate, START, '-purpose', 'sslclient'), /OK/);
    assert.match(openssl(issued.certificate, intermediate, START), /unable to get (local )?issuer/);
    // It is still the same when it is opened again.
    assert.deepEqual((await open()).intermediates, authority.intermediates);
  });

  test('issues by an intermediate whose time it is', async () => {
    const { clock, open } = fresh();
    const authority = await open();
    const { notBefore, notAfter } = authority.issuing.parsed;
    for (const [time, good] of [
      [notBefore - 1, false],
      [notBefore, true],
      [notAfter - 1, true],
      [notAfter, false],
    ] as const) {
      clock.time = time;
      if (good) authority.reload();
      else assert.throws(() => authority.reload(), { code: 'intermediate-missing' });
    }
  });

  test('cannot vouch beyond its names, whatever it signs', async () => {
    const { directory, open } = fresh();
    const ours = await open();
    const stray = await openAuthority(directory, NAME, () => START);
    const verdict = (issued: Issued, uri = ''): string =>
      `${uri} ${openssl(issued.certificate, ours.certificate, START)}`;
    for (const host of ['gw.example', '127.0.0.1', '::1']) {
      assert.match(verdict(await stray.issueServer([host], HOUR)), /OK/, host);
    }
    for (const host of ['evil.example', '192.0.2.1', '2001:db8::1', 'localhost']) {
      assert.match(verdict(await stray.issueServer([host], HOUR)), /permitted subtree violation/, host);
    }
    for (const uri of ['spiffe://prod.example/service/a', 'spiffe://x.sallyport.internal/service/a']) {
      assert.match(verdict(await leaf(stray, uri), uri), /permitted subtree violation/);
    }
  });

  test('whose names change gets another intermediate with the same key', async () => {
    const { directory, open } = fresh();
    const before = await leaf(await open());
    const options = { constraints: { ...OURS, hosts: ['edge.example'] } };
    const after = await openAuthority(directory, NAME, () => START, options);
    const server = await after.issueServer(['edge.example'], HOUR);
    assert.match(openssl(server.certificate, after.certificate, START), /OK/);
    assert.equal(after.vouchesFor(new X509Certificate(before.certificate)), true);
  });

  test('renews its intermediate when a third of its life is left, and forgets the one before a day later', async () => {
    const { directory, clock, open } = fresh();
    const authority = await open();
    const first = authority.issuing;
    clock.time = first.parsed.notAfter - 30 * DAY - 1;
    assert.equal(await authority.upkeep(), false);
    clock.time += 1;
    const before = await leaf(authority);
    assert.equal(await authority.upkeep(), true);
    const after = await leaf(authority);
    assert.notEqual(authority.issuing.id, first.id);
    for (const { certificate } of [before, after]) {
      assert.equal(authority.vouchesFor(new X509Certificate(certificate)), true);
      assert.match(openssl(certificate, authority.certificate, clock.time), /OK/);
    }
    assert.equal(existsSync(join(directory, `issuing-${first.id}.key`)), true);
    clock.time += 24 * HOUR;
    assert.equal(await authority.upkeep(), false);
    assert.equal(existsSync(join(directory, `issuing-${first.id}.key`)), true);
    clock.time += 1000;
    assert.equal(await authority.upkeep(), false);
    assert.equal(existsSync(join(directory, `issuing-${first.id}.key`)), false);
    assert.equal(existsSync(join(directory, `issuing-${first.id}.pem`)), true);
    assert.throws(() => authority.directory.openKey(join(directory, `issuing-${first.id}.key`)), {
      code: 'ENOENT',
    });
    clock.time = first.parsed.notAfter - 1;
    await authority.upkeep();
    assert.equal(existsSync(join(directory, `issuing-${first.id}.pem`)), true);
    clock.time += 1;
    await authority.upkeep();
    assert.equal(existsSync(join(directory, `issuing-${first.id}.pem`)), false);
  });

  test('publishes a list of what was revoked for each intermediate that may have issued', async () => {
    const { clock, open } = fresh();
    // A list is good for a day to the millisecond, and says so in whole seconds.
    clock.time = START + 999;
    const authority = await open();
    const [gone, good] = [await leaf(authority), await leaf(authority)];
    await authority.rotate();
    const younger = await leaf(authority);
    const lists = await authority.crls([{ serial: gone.serial, issuer: gone.issuer, at: START }]);
    assert.equal(lists.match(/BEGIN X509 CRL/g)?.length, 3);
    const all = authority.certificate + lists;
    const check = ({ certificate }: Issued): string => openssl(certificate, all, START, '-crl_check_all');
    assert.match(check(gone), /certificate revoked/);
    assert.match(check(good), /OK/);
    assert.match(check(younger), /OK/);
    assert.match(openssl(good.certificate, all, START + 2 * DAY, '-crl_check'), /expired/);
    const words = ['crl', '-noout', '-nextupdate'];
    const until = execFileSync('openssl', words, { input: lists, encoding: 'utf8' }).split('=')[1] ?? '';
    assert.equal(Date.parse(until), START + DAY);
  });
});

describe('an authority of an earlier version', { skip: requires('openssl') }, () => {
  test('goes on: what it issued is good, and who trusts it alone trusts what is issued now', async () => {
    const { directory, clock, open } = fresh();
    const earlier = await earlierAuthority(directory, START);
    const { certificate: old } = await earlier.leaf(URI);
    const authority = await open();
    assert.equal(authority.vouchesFor(new X509Certificate(old)), true);
    assert.match(openssl(old + authority.intermediates.join(''), authority.certificate, START), /OK/);
    const server = await authority.issueServer(['gw.example'], HOUR);
    assert.match(openssl(server.certificate, earlier.certificate, START), /OK/);
    assert.match(openssl(server.certificate, authority.certificate, START), /OK/);
    assert.equal(authority.bundle, authority.certificate + earlier.certificate);
    assert.equal(existsSync(join(directory, 'ca.key')), false);
    // By itself it changes nothing that such clients would notice.
    clock.time = START + 61 * DAY;
    assert.equal(await authority.upkeep(), true);
    const later = await authority.issueServer(['gw.example'], HOUR);
    assert.match(openssl(later.certificate, earlier.certificate, clock.time), /OK/);
    // Somebody who rotates it does, and a day later nothing of it is left.
    await authority.rotate();
    await authority.upkeep();
    authority.reload();
    assert.equal(authority.bundle, authority.certificate + earlier.certificate);
    clock.time += 25 * HOUR;
    await authority.upkeep();
    authority.reload();
    assert.equal(authority.bundle, authority.certificate);
  });

  test('is brought over whole, wherever that was cut off', async () => {
    for (const gone of [['ca.pem'], ['root.key', 'ca.pem'], ['issuing-*'], []]) {
      const { directory, open } = fresh();
      const { certificate } = await earlierAuthority(directory, START);
      const key = readFileSync(join(directory, 'ca.key'), 'utf8');
      await open();
      // As if the last step had not happened, nor some before it.
      writeFileSync(join(directory, 'ca.key'), key, { mode: 0o600 });
      for (const file of gone.flatMap((one) => globSync(one, { cwd: directory }))) {
        if (file === 'ca.pem') writeFileSync(join(directory, file), certificate);
        else rmSync(join(directory, file));
      }
      const again = await open();
      const server = await again.issueServer(['gw.example'], HOUR);
      assert.match(openssl(server.certificate, certificate, START), /OK/, String(gone));
      assert.match(openssl(server.certificate, again.certificate, START), /OK/, String(gone));
    }
  });
});

describe('a root that is kept offline', () => {
  test('signs an intermediate that was asked for in a file', async () => {
    const { directory, clock, open } = fresh();
    const vault = join(place, 'vault');
    const root = new AuthorityDirectory(vault, NAME, { now: () => clock.time });
    await root.makeRoot();
    const here = new AuthorityDirectory(directory, NAME, { now: () => clock.time });
    const csr = await here.requestIntermediate();
    const signed = await root.signIntermediate(readRequest(csr), OURS);
    assert.throws(() => here.importIntermediate(signed), { code: 'root-missing' });
    here.importIntermediate(signed, root.root.pem);
    const authority = await open();
    assert.equal(authority.directory.rootOnline, false);
    const issued = await leaf(authority);
    assert.equal(authority.vouchesFor(new X509Certificate(issued.certificate)), true);
    await assert.rejects(authority.rotate(), { code: 'root-offline' });
    // It is not renewed by itself, and at its end nothing is issued any more.
    clock.time = START + 61 * DAY;
    assert.equal(await authority.upkeep(), false);
    clock.time = START + 91 * DAY;
    await assert.rejects(open(), { code: 'root-offline' });
    assert.equal(await authority.upkeep(), false);
    assert.deepEqual(globSync('issuing-*', { cwd: directory }), []);
  });

  test('is believed only in what it signed for the key that waits, as an intermediate', async () => {
    const now = (): number => START;
    const { directory } = fresh();
    const root = new AuthorityDirectory(join(place, 'root-a'), NAME, { now });
    const other = new AuthorityDirectory(join(place, 'root-b'), NAME, { now });
    await root.makeRoot();
    await other.makeRoot();
    const here = new AuthorityDirectory(directory, NAME, { now });
    const request = readRequest(await here.requestIntermediate());
    const good = await root.signIntermediate(request, OURS);
    const unfit = { code: 'intermediate-unfit' };
    assert.throws(() => here.importIntermediate('nonsense', root.root.pem), unfit);
    assert.throws(() => here.importIntermediate(root.root.pem, root.root.pem), unfit);
    assert.throws(() => here.importIntermediate(good, other.root.pem), unfit);
    here.importIntermediate(good, root.root.pem);
    const once = { ...unfit, message: /nothing was asked for/ };
    assert.throws(() => here.importIntermediate(good), once);
    await here.requestIntermediate();
    assert.throws(() => here.importIntermediate(good), { ...unfit, message: /another key/ });
  });

  test('can be taken away from an authority that runs', async () => {
    const { directory, open } = fresh();
    const authority = await open();
    renameSync(join(directory, 'root.key'), join(place, 'taken.key'));
    assert.equal((await open()).certificate, authority.certificate);
    await assert.rejects(authority.rotate(), { code: 'root-offline' });
  });
});
