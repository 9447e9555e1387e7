// An authority that is none: TLS would take an empty one for none given, and believe those of the system.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuthoritiesError, readAuthorities } from '#gateway/identity/authorities';
import { Provider } from '#gateway/identity/providers';
import { authority, pemOf } from './service-certificates.ts';

test('a file is believed with a certificate in it, and by nobody without', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-authorities-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const ca = join(directory, 'ca.pem');
  const pem = `# ours\n${pemOf(await authority('Ours', Date.now()))}`;
  writeFileSync(ca, pem);
  assert.equal(readAuthorities(ca), pem);
  const config = { id: 'corp', name: 'Corp', issuer: 'https://idp.example', clientId: 'x', ca };
  const provider = (): Provider => new Provider(config as never, 'https://a.example/callback', Date.now);
  provider();
  const none = (error: unknown): boolean =>
    error instanceof AuthoritiesError && error.message === `${ca} holds no certificate in PEM`;
  for (const text of ['', '\n', pem.slice(0, 100)]) {
    writeFileSync(ca, text);
    assert.throws(() => readAuthorities(ca), none);
    assert.throws(provider, none, 'nor an identity provider');
  }
  assert.throws(() => readAuthorities(join(directory, 'gone.pem')), { code: 'ENOENT' });
});
