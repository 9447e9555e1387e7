// Assertions and the published key set as a library in another language finds them: Go's for JOSE, as SPIFFE and others
// use it. Needs go and its proxy.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { requires } from '#test/requires';
import { CONTEXT, DAY, ISSUER, signerOf } from './signing.ts';

const MODULE = 'github.com/go-jose/go-jose/v4@v4.1.3';

test('a library in Go finds assertions good by the published keys, and no others', {
  skip: requires('go'),
}, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-jose-'));
  const store = openEmbeddedStore(join(place, 'state'), Date.now);
  t.after(async () => {
    await store.close();
    rmSync(place, { recursive: true, force: true });
  });
  const go = (...words: string[]): string =>
    execFileSync('go', words, { cwd: place, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  copyFileSync(join(import.meta.dirname, 'jwt.go'), join(place, 'main.go'));
  go('mod', 'init', 'jwt');
  try {
    go('get', MODULE);
  } catch {
    t.skip('skipped: the Go module of the peer cannot be fetched');
    return;
  }
  go('build', '-o', 'jwt', '.');
  // Opened 29 and a half days ago: the key that signs next is published by now.
  const signer = await signerOf(store, { time: 0, now: () => Date.now() - 29.5 * DAY });
  const now = await signerOf(store, { time: 0, now: Date.now });
  const keys = join(place, 'jwks.json');
  writeFileSync(keys, JSON.stringify(now.jwks));
  const verdict = (token: string, audience = 'wiki', issuer = ISSUER): string => {
    const { stdout, stderr, status } = spawnSync(join(place, 'jwt'), [keys, issuer, audience], {
      ...{ input: token, encoding: 'utf8' },
    });
    return status === 0 ? stdout : stderr;
  };
  const good = now.assertion(CONTEXT);
  assert.equal(now.jwks.keys.length, 2, 'the next key is there');
  assert.equal(verdict(good), CONTEXT.subject.id);
  assert.match(verdict(good, 'payroll'), /invalid audience/);
  assert.match(verdict(good, 'wiki', 'https://evil.example'), /invalid issuer/);
  assert.match(verdict(signer.assertion(CONTEXT)), /expired/);
  const [head, body, signature = ''] = good.split('.');
  const changed = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  assert.match(verdict([head, body, changed].join('.')), /error in cryptographic primitive/);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  assert.match(verdict([none, body, ''].join('.')), /unexpected signature algorithm|malformed/);
});
