// The issuing process: it signs for one that has no key, comes back when it dies, and opens no key that others can read.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Issuer } from '#gateway/pki/issuer';
import type { IssuerSettings } from '#gateway/pki/issuer-service';
import { createLog } from '#siem/log';
import { describeSystemError } from '#siem/system-error';
import { requestFor } from './signing-request.ts';
import { RULES, token, wish } from './wishes.ts';

const HOUR = 3_600_000;
const place = mkdtempSync(join(tmpdir(), 'sallyport-issuing-'));
after(() => rmSync(place, { recursive: true, force: true }));

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

  test('tells what the system refuses as the system does, with its place', async () => {
    const file = join(place, 'a-file');
    writeFileSync(file, '');
    const issuer = new Issuer(settings(join(file, 'ca')), log);
    after(() => issuer.stop());
    await assert.rejects(issuer.open(Date.now), (error) => {
      assert.equal(describeSystemError(error), `${join(file, 'ca')}: a part of this path is no directory`);
      return true;
    });
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
