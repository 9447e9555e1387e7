// What an authority does at the edges of its times, and whom it tells when it changes.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type CertificateAuthority, openAuthority } from '#gateway/pki/authority';
import { AuthorityDirectory } from '#gateway/pki/authority-directory';
import { requestFor } from './signing-request.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BACKDATE = 300_000;
const START = Date.parse('2026-03-04T10:00:00Z');
const URI = 'spiffe://sallyport.internal/connector/rack-1';
const place = mkdtempSync(join(tmpdir(), 'sallyport-authority-'));
after(() => rmSync(place, { recursive: true, force: true }));

interface Bed {
  readonly directory: string;
  readonly clock: { time: number };
  open(): Promise<CertificateAuthority>;
}

function fresh(): Bed {
  const directory = mkdtempSync(join(place, 'one-'));
  const clock = { time: START };
  return { directory, clock, open: () => openAuthority(directory, 'Test', () => clock.time) };
}

/** PEM files of the certificate that issues moved into the past, as if somebody had waited. */
function aged(directory: string, { issuing }: CertificateAuthority): void {
  const path = join(directory, `issuing-${issuing.id}.pem`);
  utimesSync(path, START / 1000 - 60, START / 1000 - 60);
}

describe('a leaf', () => {
  test('lives for a day in all, with what lies in the past, unless it may live for longer', async () => {
    const authority = await fresh().open();
    for (const [life, ends] of [
      [HOUR, START + HOUR],
      [DAY - BACKDATE, START + DAY - BACKDATE],
      [DAY - BACKDATE + 1000, START + DAY - BACKDATE],
      [DAY, START + DAY - BACKDATE],
      [DAY + 1000, START + DAY + 1000],
      [30 * DAY, START + 30 * DAY],
      [900 * DAY, authority.issuing.parsed.notAfter],
    ] as const) {
      const { certificate, notAfter } = await authority.issueServer(['a.example'], life);
      assert.equal(notAfter, ends, String(life));
      assert.equal(Date.parse(new X509Certificate(certificate).validTo), ends);
    }
  });

  test('that has ended was vouched for, and another authority’s was not', async () => {
    const [one, other] = [fresh(), fresh()];
    const [authority, elsewhere] = [await one.open(), await other.open()];
    const { certificate } = await authority.issueServer(['a.example'], HOUR);
    const leaf = new X509Certificate(certificate);
    one.clock.time = START + 2 * HOUR;
    assert.equal(authority.vouchesFor(leaf), false);
    assert.equal(authority.vouchedFor(leaf), true);
    assert.equal(elsewhere.vouchedFor(leaf), false);
    // Nor is one of the right names whose signature does not hold.
    const forged = Buffer.from(leaf.raw);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    assert.equal(authority.vouchedFor(new X509Certificate(forged)), false);
  });

  test('says that its key is in a TPM only where that was proven', async () => {
    const authority = await fresh().open();
    const csr = await requestFor();
    const grant = { kind: 'admin', id: 'test' } as const;
    const KEY_IN_TPM = Buffer.from('06066781050b0102', 'hex');
    for (const [key, said] of [
      ['tpm', true],
      ['file', false],
      [undefined, false],
    ] as const) {
      const wish = { csr, uri: URI, life: HOUR, grant, key };
      const { certificate } = await authority.issueClient(wish);
      assert.equal(new X509Certificate(certificate).raw.includes(KEY_IN_TPM), said, String(key));
    }
  });
});

describe('a change', () => {
  test('is told to whoever listens, and what is no change is not', async () => {
    const { open } = fresh();
    const authority = await open();
    let told = 0;
    authority.onChange(() => {
      told += 1;
    });
    assert.equal(await authority.upkeep(), false);
    assert.equal(told, 0);
    await authority.rotate();
    assert.equal(told, 1);
  });

  test('of several in one second the one that was made last issues', async () => {
    const { directory, open } = fresh();
    const authority = await open();
    const seen = [authority.issuing.id];
    for (let round = 0; round < 5; round += 1) {
      aged(directory, authority);
      await authority.rotate();
      assert.ok(!seen.includes(authority.issuing.id));
      seen.push(authority.issuing.id);
    }
    assert.equal((await open()).issuing.id, seen.at(-1));
  });

  test('the younger one issues, though the older was written later', async () => {
    const { directory, clock, open } = fresh();
    const authority = await open();
    const older = join(directory, `issuing-${authority.issuing.id}.pem`);
    clock.time += HOUR;
    await authority.rotate();
    const younger = authority.issuing.id;
    utimesSync(older, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    assert.equal((await open()).issuing.id, younger);
  });
});

describe('a root out of its time', () => {
  test('opens nothing, is left as it is, and the message asks for the clock', async () => {
    for (const off of [-20 * 365 * DAY, 11 * 365 * DAY]) {
      const { directory, clock, open } = fresh();
      await open();
      const files = readdirSync(directory);
      clock.time = START + off;
      await assert.rejects(open(), {
        code: 'root-unfit',
        message: new RegExp(
          `/ca\\.pem is good from 2026-03-04T\\S+ to 2036-03-01T\\S+, and this machine’s clock says ${new Date(clock.time).toISOString()}: set the clock`,
        ),
      });
      assert.deepEqual(readdirSync(directory), files);
      clock.time = START;
      await open();
    }
  });

  test('that ends within a month is not a reason for an intermediate each hour', async () => {
    const { clock, open } = fresh();
    const authority = await open();
    const { notAfter } = authority.directory.root.parsed;
    clock.time = notAfter - 20 * DAY;
    await authority.upkeep();
    assert.equal(authority.issuing.parsed.notAfter, notAfter);
    clock.time += HOUR;
    assert.equal(await authority.upkeep(), false);
  });
});

describe('lists of what was revoked', () => {
  const count = (lists: string): number => lists.match(/BEGIN X509 CRL/g)?.length ?? 0;

  test('are of those whose keys are here: not of one whose key was forgotten, nor of a root kept elsewhere', async () => {
    const { directory, clock, open } = fresh();
    const authority = await open();
    const first = authority.issuing.id;
    await authority.rotate();
    assert.equal(count(await authority.crls([])), 3);
    clock.time += 25 * HOUR;
    await authority.upkeep();
    assert.equal(existsSync(join(directory, `issuing-${first}.key`)), false);
    assert.equal(count(await authority.crls([])), 2);
    renameSync(join(directory, 'root.key'), join(place, 'away.key'));
    assert.equal(count(await (await open()).crls([])), 1);
  });
});

describe('a directory', () => {
  test('has a root that names who made it, and renews an intermediate also where there is none', async () => {
    const directory = new AuthorityDirectory(mkdtempSync(join(place, 'one-')), 'Test', { now: () => START });
    await directory.makeRoot();
    assert.equal(directory.root.node.subject, 'O=Sallyport\nCN=Test root');
    await directory.renewIntermediate();
    const [made] = directory.intermediates;
    assert.match(made?.node.subject ?? '', /^O=Sallyport\nCN=Test issuing [0-9a-f]{8}$/);
    await directory.renewIntermediate();
    assert.deepEqual(
      directory.intermediates.map(({ id }) => id),
      [made?.id],
    );
  });
});
