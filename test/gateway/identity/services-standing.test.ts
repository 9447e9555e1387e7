// What a service has open lasts as long as its certificate would still be taken: until it ends or is revoked, or whoever
// vouched for it does no more.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { before, test } from 'node:test';
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
  assert.equal(lives(), true);
  happens.now = NOW + HOUR;
  assert.equal(lives(), false);
});

test('it ends when the certificate is revoked, and is not said to be alive where that is not known', async () => {
  const { happens, lives } = await opened();
  assert.equal(lives(), true);
  happens.revoked = () => {
    throw new Error('not known');
  };
  assert.throws(lives, /not known/);
  happens.revoked = () => true;
  assert.equal(lives(), false);
});

test('it outlives a bundle with one root more, and ends with one that lacks its own', async () => {
  const { domains, lives } = await opened();
  const next = derOf(await authority('Next root', NOW));
  domains.replace('prod.example', [derOf(root), next]);
  assert.equal(lives(), true);
  domains.replace('prod.example', [next]);
  assert.equal(lives(), false);
});
