// What the issuing process signs and what it does not, whoever asks; and the process itself, which comes back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openAuthority } from '#gateway/pki/authority';
import type { ClientWish } from '#gateway/pki/issued';
import { Issuer } from '#gateway/pki/issuer';
import type { IssuerSettings } from '#gateway/pki/issuer-service';
import { IssuingPolicy } from '#gateway/pki/issuing-policy';
import { createLog } from '#siem/log';
import { requestFor } from './signing-request.ts';

const HOUR = 3_600_000;
const place = mkdtempSync(join(tmpdir(), 'sallyport-issuing-'));
after(() => rmSync(place, { recursive: true, force: true }));

const RULES = { servers: ['gw.example'], trustDomain: 'sallyport.internal', perSecond: 2 };
const CONNECTOR = 'spiffe://sallyport.internal/connector/rack-1';
let used = 0;
const token = (): ClientWish['grant'] => {
  used += 1;
  return { kind: 'enrolment', id: String(used) };
};
const wish = (more: Partial<ClientWish> = {}): ClientWish => ({
  ...{ csr: '', uri: CONNECTOR, life: HOUR, grant: token() },
  ...more,
});

describe('the policy', () => {
  const policy = (rules: Partial<typeof RULES> = {}): IssuingPolicy =>
    new IssuingPolicy({ ...RULES, perSecond: 1000, ...rules }, () => true, Date.now);
  const refused = { name: 'IssueError', code: 'not-permitted' };

  test('knows the names of our own servers, and no other', () => {
    policy().server(['gw.example'], HOUR);
    for (const names of [
      [],
      ['evil.example'],
      ['gw.example', 'evil.example'],
      ['GW.example'],
      ['*.example'],
    ]) {
      assert.throws(() => policy().server(names, HOUR), refused, names.join());
    }
  });

  test('knows connectors and services of our trust domain, and no other', () => {
    policy().client(wish());
    policy().client(wish({ uri: 'spiffe://sallyport.internal/service/billing' }));
    for (const uri of [
      'spiffe://sallyport.internal/gateway/edge-1',
      'spiffe://sallyport.internal/admin/root',
      'spiffe://sallyport.internal/connector/',
      'spiffe://sallyport.internal/connector/a/b',
      'spiffe://sallyport.internal/connector/A',
      'spiffe://sallyport.internal/connector/a\0',
      'spiffe://sallyport.internal/connector/a\n',
      'spiffe://sallyport.internal.evil/connector/a',
      'spiffe://evil/connector/a',
      'https://sallyport.internal/connector/a',
      '',
    ]) {
      assert.throws(() => policy().client(wish({ uri })), refused, JSON.stringify(uri));
    }
    policy().peer('spiffe://sallyport.internal/gateway/edge-1', HOUR);
    assert.throws(() => policy().peer(CONNECTOR, HOUR), refused);
  });

  test('lets nothing live for more than a day', () => {
    for (const life of [24 * HOUR + 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => policy().client(wish({ life })), refused, String(life));
      assert.throws(() => policy().server(['gw.example'], life), refused, String(life));
    }
  });

  test('gives one certificate for one permission', () => {
    const one = policy();
    const grant = token();
    one.client(wish({ grant }));
    assert.throws(() => one.client(wish({ grant })), { ...refused, message: /used already/ });
    assert.throws(() => one.client(wish({ grant, uri: CONNECTOR.replace('rack', 'room') })), refused);
  });

  test('renews what it vouches for, under the same name', async () => {
    const authority = await openAuthority(join(place, 'renewal'), 'Test', Date.now);
    const csr = await requestFor();
    const { certificate } = await authority.issueClient(wish({ csr }));
    const vouching = new IssuingPolicy(
      { ...RULES, perSecond: 1000 },
      (one, shown) => authority.vouchesFor(one, shown),
      Date.now,
    );
    vouching.client(wish({ grant: { kind: 'renewal', certificate } }));
    const elsewhere = await openAuthority(join(place, 'elsewhere'), 'Test', Date.now);
    const foreign = (await elsewhere.issueClient(wish({ csr }))).certificate;
    for (const [text, uri] of [
      [certificate, CONNECTOR.replace('rack', 'room')],
      [foreign, CONNECTOR],
      ['', CONNECTOR],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', CONNECTOR],
    ] as const) {
      const grant = { kind: 'renewal', certificate: text } as const;
      assert.throws(() => vouching.client(wish({ grant, uri })), refused);
    }
  });

  test('signs so many a second, and saves up for ten', () => {
    let time = 0;
    const slow = new IssuingPolicy(
      RULES,
      () => true,
      () => time,
    );
    const spent = (): number => {
      for (let count = 0; ; count += 1) {
        try {
          slow.client(wish());
        } catch (error) {
          assert.equal((error as { code: string }).code, 'too-many');
          return count;
        }
      }
    };
    assert.equal(spent(), 20);
    time += 1500;
    assert.equal(spent(), 3);
    time += 60_000;
    assert.equal(spent(), 20);
  });
});

describe('the process', () => {
  const log = createLog({ service: { name: 'test', version: '0', node: 'test' }, level: 'fatal' });
  const settings = (directory: string): IssuerSettings => ({
    authorities: [{ id: 'one', directory, name: 'Test', rules: { ...RULES, perSecond: 1000 } }],
    keys: { place: 'file' },
  });

  async function started(name: string): Promise<{ issuer: Issuer; directory: string }> {
    const directory = join(place, name);
    const issuer = new Issuer(settings(directory), log);
    after(() => issuer.stop());
    await issuer.open(Date.now);
    return { issuer, directory };
  }

  /** Processes below this one that run the issuing program. */
  function running(): number[] {
    const table = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], {
      encoding: 'utf8',
    });
    return table
      .split('\n')
      .filter((line) => line.includes('issuer-process'))
      .map(Number.parseFloat);
  }

  test('signs for this one, which has no key', async () => {
    const { issuer, directory } = await started('plain');
    const authority = issuer.authority('one');
    const issued = await authority.issueClient(wish({ csr: await requestFor() }));
    assert.equal(authority.vouchesFor(new X509Certificate(issued.certificate)), true);
    const server = await authority.issueServer(['gw.example'], HOUR);
    assert.equal(new X509Certificate(server.certificate).subjectAltName, 'DNS:gw.example');
    await assert.rejects(authority.issueServer(['evil.example'], HOUR), { code: 'not-permitted' });
    await assert.rejects(authority.issueClient(wish({ csr: 'nonsense' })), { code: 'bad-csr' });
    const grant = token();
    const csr = await requestFor();
    const all = Array.from({ length: 50 }, () => authority.issueClient(wish({ csr, grant })));
    const good = (await Promise.allSettled(all)).filter(({ status }) => status === 'fulfilled');
    assert.equal(good.length, 1);
    // Nothing that was asked of it made it show a key.
    const seen = JSON.stringify([authority.standing, issued]);
    for (const file of globSync('*.key', { cwd: directory })) {
      const { sealed } = JSON.parse(readFileSync(join(directory, file), 'utf8'));
      assert.doesNotMatch(seen, new RegExp(sealed.slice(0, 20).replaceAll(/[+/]/g, '\\$&')));
    }
    assert.doesNotMatch(seen, /PRIVATE/);
  });

  test('changes the intermediate while certificates are asked for, and none fails', async () => {
    const { issuer } = await started('rotating');
    const authority = issuer.authority('one');
    let changes = 0;
    authority.onChange(() => {
      changes += 1;
    });
    const csr = await requestFor();
    const wanted: Promise<{ certificate: string }>[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 20; index += 1) wanted.push(authority.issueClient(wish({ csr })));
      await issuer.rotate('one');
    }
    for (const { certificate } of await Promise.all(wanted)) {
      assert.equal(authority.vouchesFor(new X509Certificate(certificate)), true);
    }
    assert.equal(changes, 3);
    assert.equal(authority.intermediates.length, 4);
  });

  test('is started again when it dies', async () => {
    const { issuer } = await started('dying');
    const authority = issuer.authority('one');
    const before = authority.certificate;
    const [pid] = running().slice(-1);
    assert.ok(pid);
    const csr = await requestFor();
    process.kill(pid, 'SIGKILL');
    let again: string | undefined;
    for (let tries = 0; again === undefined && tries < 100; tries += 1) {
      again = await authority.issueClient(wish({ csr })).then(
        ({ certificate }) => certificate,
        () => undefined,
      );
      if (again === undefined) await sleep(100);
    }
    assert.equal(authority.vouchesFor(new X509Certificate(again ?? '')), true);
    assert.equal(authority.certificate, before);
  });

  test('does not open keys that others could read, and says so', async () => {
    const { issuer, directory } = await started('loose');
    issuer.stop();
    for (const file of globSync('issuing-*.key', { cwd: directory })) chmodSync(join(directory, file), 0o644);
    const again = new Issuer(settings(directory), log);
    await assert.rejects(again.open(Date.now), { code: 'loose-mode', message: /chmod 600/ });
    again.stop();
  });
});
