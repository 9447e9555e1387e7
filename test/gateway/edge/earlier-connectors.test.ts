// Connectors that enrolled when one CA signed everything: they renew at a gateway whose authority was brought over since,
// those of today and those of that time alike.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { dial } from '#connectors/link/dial';
import { renew } from '#connectors/link/enrol';
import { type Identity, identityOf } from '#connectors/link/identity';
import { keyInFile } from '#connectors/link/requested-key';
import { outboundAgent } from '#connectors/wire/outbound';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { earlierAuthority } from '../pki/earlier-authority.ts';

const trustDomain = 'sallyport.internal';
const URI = `spiffe://${trustDomain}/connector/one`;

/** A gateway of today on the state of that time, and a connector's identity of that time. */
async function upgraded(t: TestContext): Promise<{ gateway: URL; identity: Identity; refused: unknown[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-earlier-'));
  const now = Date.now;
  const earlier = await earlierAuthority(join(directory, 'ca'), now());
  const { certificate, key } = await earlier.leaf(URI);
  const store = openEmbeddedStore(join(directory, 'state'), now);
  const { serialNumber: serial, validTo } = new X509Certificate(certificate);
  // As that version kept it: without the issuer.
  const certificates = [{ serial, notAfter: Date.parse(validTo) }];
  await store.put('connector', 'one', { enrolledAt: now(), certificates, revoked: false });
  const authority = await openAuthority(join(directory, 'ca'), 'Sallyport connectors', now);
  const desk = new EnrolmentDesk({ store, authority, trustDomain, certificateLife: 3_600_000, now });
  const refused: unknown[] = [];
  const server = connectorsListener(
    await issueCertificate(authority, ['localhost']),
    { connections: 100, perAddress: 100 },
    {
      ...{ desk, authority, trustDomain, accepts: new Accepts(100, now) },
      connected: (ws) => t.after(() => ws.terminate()),
      record: async () => undefined,
      refused: async (event) => void refused.push(event),
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const gateway = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
  return { gateway, identity: identityOf(key, certificate, earlier.certificate), refused };
}

async function connects(t: TestContext, gateway: URL, identity: Identity): Promise<void> {
  const ws = await dial(gateway, identity);
  t.after(() => ws.terminate());
}

test('a connector of today that enrolled then connects, renews, and knows the new root from there on', async (t) => {
  const { gateway, identity, refused } = await upgraded(t);
  await connects(t, gateway, identity);
  const renewed = await renew(gateway, identity);
  assert.notEqual(renewed.ca, identity.ca);
  assert.ok(renewed.ca.includes(identity.ca.trim()), 'and the one before, until all have renewed');
  await connects(t, gateway, renewed);
  await connects(t, gateway, await renew(gateway, renewed));
  assert.deepEqual(refused, []);
});

test('a connector of that time renews, too: it expects the one CA to have signed, and shows its leaf alone', async (t) => {
  const { gateway, identity, refused } = await upgraded(t);
  const { ca } = identity;
  /** As that version does it. */
  const renewedThen = async (cert: string, key: string): Promise<{ cert: string; key: string }> => {
    const made = await keyInFile();
    const outgoing = request(new URL('/v1/renew', gateway), {
      ...{ method: 'POST', ca, cert, key, minVersion: 'TLSv1.3', agent: outboundAgent({ keepAlive: false }) },
      headers: { 'Content-Type': 'application/json' },
    });
    outgoing.end(JSON.stringify({ csr: made.csr }));
    const [answer] = (await once(outgoing, 'response')) as [
      Parameters<typeof text>[0] & { statusCode: number },
    ];
    const body = await text(answer);
    assert.equal(answer.statusCode, 201, body);
    const { certificate } = JSON.parse(body) as { certificate: string };
    const leaf = new X509Certificate(certificate);
    assert.ok(leaf.verify(new X509Certificate(ca).publicKey), 'signed by the authority of its token');
    return { cert: leaf.toString(), key: made.key };
  };
  const first = await renewedThen(identity.certificate, identity.key);
  await connects(t, gateway, identityOf(first.key, first.cert, ca));
  const second = await renewedThen(first.cert, first.key);
  await connects(t, gateway, identityOf(second.key, second.cert, ca));
  assert.deepEqual(refused, []);
});
