// Where a key is, as a certificate says it: believed of our own authority, and of nobody else.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TrustDomains } from '#gateway/identity/svid';
import { openAuthority } from '#gateway/pki/authority';
import type { KeyOrigin } from '#policy/input';
import { requires } from '#test/requires';
import { requestFor } from './signing-request.ts';

const NOW = Date.UTC(2026, 2, 4, 10);
const place = mkdtempSync(join(tmpdir(), 'sallyport-origin-'));
after(() => rmSync(place, { recursive: true, force: true }));
const authority = await openAuthority(join(place, 'ca'), 'Test', () => NOW);

async function issued(key: KeyOrigin | undefined): Promise<string> {
  const uri = 'spiffe://test.internal/service/billing';
  const grant = { kind: 'admin', id: 'test' } as const;
  const wish = { csr: await requestFor(), uri, life: 3_600_000, grant };
  return (await authority.issueClient(key === undefined ? wish : { ...wish, key })).certificate;
}

function seen(chain: string, ours: boolean): KeyOrigin | undefined {
  const shown = chain.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  const bundle = [new X509Certificate(authority.certificate).raw];
  const domains = new TrustDomains([{ name: 'test.internal', bundle, below: '/service/', ours }]);
  return domains.verify(
    shown.map((one) => new X509Certificate(one).raw),
    NOW,
  ).key;
}

test('our own authority’s word counts, and without a proof a key is in a file', async () => {
  assert.equal(seen(await issued('tpm'), true), 'tpm');
  assert.equal(seen(await issued('file'), true), 'file');
  assert.equal(seen(await issued(undefined), true), 'file');
});

test('of another authority’s certificates nothing is known, whatever they say', async () => {
  assert.equal(seen(await issued('tpm'), false), undefined);
  assert.equal(seen(await issued('file'), false), undefined);
});

test('other programs read it, too', { skip: requires('openssl') }, async () => {
  const text = (chain: string): string =>
    execFileSync('openssl', ['x509', '-noout', '-text'], { input: chain, encoding: 'utf8' });
  assert.match(text(await issued('tpm')), /Policy: 2\.23\.133\.11\.1\.2/);
  assert.doesNotMatch(text(await issued('file')), /Policy:/);
});
