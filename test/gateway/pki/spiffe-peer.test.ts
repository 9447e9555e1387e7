// What our authority issues to services, as the SPIFFE project's own library finds it: an X509-SVID of our trust domain,
// and of no other, whoever trusts our root. Needs go and its proxy.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CertificateAuthority, openAuthority } from '#gateway/pki/authority';
import { requires } from '#test/requires';
import { requestFor } from './signing-request.ts';

const MODULE = 'github.com/spiffe/go-spiffe/v2@v2.6.0';
const OURS = { trustDomain: 'sallyport.internal', hosts: ['gw.example'] };
const BILLING = 'spiffe://sallyport.internal/service/billing';
const HOUR = 3_600_000;

test('the SPIFFE project’s library finds our certificates good, for our trust domain only', {
  skip: requires('go'),
}, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-svid-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const at = (name: string): string => join(place, name);
  const go = (...words: string[]): string =>
    execFileSync('go', words, { cwd: place, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  copyFileSync(join(import.meta.dirname, 'svid.go'), at('main.go'));
  go('mod', 'init', 'svid');
  try {
    go('get', MODULE);
  } catch {
    t.skip('skipped: the Go module of the peer cannot be fetched');
    return;
  }
  go('build', '-o', 'svid', '.');
  const open = (name: string, constraints?: typeof OURS): Promise<CertificateAuthority> =>
    openAuthority(at(name), 'Connectors', Date.now, constraints === undefined ? {} : { constraints });
  const ours = await open('ours', OURS);
  // The same keys, with nobody who looks at names before they sign.
  const careless = await open('ours');
  const foreign = await open('foreign', OURS);
  const issue = async (authority: CertificateAuthority, uri = BILLING): Promise<string> => {
    const wish = { csr: await requestFor(), uri, life: HOUR, grant: { kind: 'admin', id: 'test' } as const };
    return (await authority.issueClient(wish)).certificate;
  };
  writeFileSync(at('ours.pem'), ours.certificate);
  const verdict = (chain: string, domain = 'sallyport.internal'): string => {
    const { stdout, stderr, status } = spawnSync(at('svid'), [domain, at('ours.pem')], {
      ...{ input: chain, encoding: 'utf8' },
    });
    return status === 0 ? stdout : stderr;
  };
  const good = await issue(ours);
  assert.equal(verdict(good), BILLING);
  await ours.rotate();
  assert.equal(verdict(good), BILLING, 'also below the intermediate before');
  assert.equal(verdict(await issue(ours)), BILLING);
  const [leaf = ''] = good.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.match(verdict(leaf), /unknown authority/, 'without its intermediate');
  assert.match(verdict(await issue(foreign)), /unknown authority/, 'of another installation');
  assert.match(verdict(good, 'prod.example'), /could not get X509 bundle|no X\.509 bundle/i);
  const beyond = await issue(careless, 'spiffe://prod.example/service/billing');
  assert.match(verdict(beyond, 'prod.example'), /not permitted by any constraint/);
});
