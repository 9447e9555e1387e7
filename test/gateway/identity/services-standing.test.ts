// What a service has open lasts as long as its certificate or token would still be taken: until it ends or is revoked, or
// whoever vouched for it does no more.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { before, test } from 'node:test';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose';
import type { LiveSession } from '#gateway/identity/live-session';
import { ServiceTokens } from '#gateway/identity/service-tokens';
import { Services, serviceLives } from '#gateway/identity/services';
import { TrustDomains } from '#gateway/identity/svid';
import { authority, CLIENT, certify, derOf, HOUR, type Holder, newKeys } from './service-certificates.ts';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const HOLDER = { uris: ['spiffe://prod.example/api'], purposes: [CLIENT] };

let root: Holder;
let shown: X509Certificate;
before(async () => {
  root = await authority('Prod root', NOW);
  shown = new X509Certificate(derOf(await certify('api', await newKeys(), root, HOLDER, NOW)));
});

/** A session of the service, and what may happen while something of it is open. */
async function opened() {
  const happens = { now: NOW, revoked: (): boolean => false };
  const domains = new TrustDomains([{ name: 'prod.example', bundle: [derOf(root)], below: '/' }]);
  const now = (): number => happens.now;
  const services = new Services(domains, new ServiceTokens([], now), now, () => happens.revoked());
  const socket = { getPeerX509Certificate: () => shown };
  const identified = await services.identify({ socket, headers: {} } as unknown as IncomingMessage, '::1');
  assert.ok(identified.ok);
  const { session }: { session: LiveSession } = identified;
  return { happens, domains, lives: () => serviceLives(session, happens.now) };
}

test('it ends with the certificate', async () => {
  const { happens, lives } = await opened();
  happens.now = NOW + HOUR - 1;
  assert.equal(await lives(), true);
  happens.now = NOW + HOUR;
  assert.equal(await lives(), false);
});

test('it ends when the certificate is revoked, and is not said to be alive where that is not known', async () => {
  const { happens, lives } = await opened();
  assert.equal(await lives(), true);
  happens.revoked = () => {
    throw new Error('not known');
  };
  await assert.rejects(lives, /not known/);
  happens.revoked = () => true;
  assert.equal(await lives(), false);
});

test('it outlives a bundle with one root more, and ends with one that lacks its own', async () => {
  const { domains, lives } = await opened();
  const next = derOf(await authority('Next root', NOW));
  domains.replace('prod.example', [derOf(root), next]);
  assert.equal(await lives(), true);
  domains.replace('prod.example', [next]);
  assert.equal(await lives(), false);
});

/** A session by a token, and what may happen to its issuer's keys while something of it is open. */
async function openedByToken() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const kept = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' };
  const other = { ...(await exportJWK((await generateKeyPair('ES256')).publicKey)), alg: 'ES256' };
  const happens = { now: NOW, keys: (): JSONWebKeySet => ({ keys: [kept] }) };
  const now = (): number => happens.now;
  const base = { audiences: ['sallyport'], algorithms: ['ES256'], require: {}, subject: '{sub}' };
  const issuer = { ...base, name: 'ci', issuer: 'https://ci.example', maxLife: HOUR };
  const tokens = new ServiceTokens(
    [{ ...issuer, keys: (header, token) => createLocalJWKSet(happens.keys())(header, token) }],
    now,
  );
  const token = await new SignJWT({ iss: issuer.issuer, aud: 'sallyport', sub: 'shop' })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setIssuedAt(NOW / 1000)
    .setExpirationTime(NOW / 1000 + 600)
    .sign(privateKey);
  const services = new Services(new TrustDomains([]), tokens, now);
  const headers = { authorization: `Bearer ${token}` };
  const socket = { getPeerX509Certificate: () => undefined };
  const identified = await services.identify({ socket, headers } as unknown as IncomingMessage, '::1');
  assert.ok(identified.ok);
  const { session }: { session: LiveSession } = identified;
  return { happens, kept, other, lives: () => serviceLives(session, happens.now) };
}

test('by a token it ends with the token, and when its issuer withdraws the key, not when that has one more', async () => {
  const { happens, kept, other, lives } = await openedByToken();
  assert.equal(await lives(), true);
  happens.keys = () => ({ keys: [{ ...other, kid: 'k2' }, kept] });
  assert.equal(await lives(), true);
  for (const [what, keys] of [
    ['no such key', [{ ...other, kid: 'k2' }]],
    ['another key by the same name', [{ ...other, kid: 'k1' }]],
  ] as const) {
    happens.keys = () => ({ keys: [...keys] });
    assert.equal(await lives(), false, what);
  }
  happens.keys = () => ({ keys: [kept] });
  assert.equal(await lives(), true);
  happens.now = NOW + 600_000;
  assert.equal(await lives(), false);
});

test('by a token it stays for half a minute while the issuer’s keys cannot be had', async () => {
  for (const keys of [
    (): JSONWebKeySet => {
      throw new Error('no answer');
    },
    () => ({ error: 'maintenance' }) as unknown as JSONWebKeySet,
  ]) {
    const { happens, lives } = await openedByToken();
    happens.now += 60_000;
    assert.equal(await lives(), true);
    happens.keys = keys;
    happens.now += 29_999;
    assert.equal(await lives(), true);
    happens.now += 1;
    assert.equal(await lives(), false);
  }
});
