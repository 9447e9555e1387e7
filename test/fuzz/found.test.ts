// What long runs have found, each as the input that showed it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gatewaySchema } from '#gateway/config';
import { openAuthority } from '#gateway/pki/authority';
import { readDocument } from '#policy/document';

test('a certificate request whose key has parameters that are none is refused, not an accident', async () => {
  // The curve's identifier is spoilt: the key can be read, its algorithm cannot.
  const csr =
    'MIIBGDCBwAIBADAgMQ8wDQYDVQQDEwZyYWNrLTExDTALBgNVBAoTBEV2aWwwWTATBgcqhkjOPQIBAggqhkjOPQMBBwNCAARNXM2uYEoUdQ5WKU+' +
    'CWmbzFgQqqahFUsjDJpyfnVfwI9GAPl9NPTUQ0ByrBeAlj5TXh+c0kwJegTrhEMlGowTdoD4wPAYJKoZIhvcNAQkOMS8wLTASBgNVHRMBAf8ECD' +
    'AGAQH/AgECMBcGA1UdEQQQMA6CDGV2aWwuZXhhbXBsZTAKBggqhkjOPQQDAgNHADBEAiBoETUPAwuyeyyOmlW84TSBPEKWh/wslPh00taOTQiCR' +
    'gIgX9+aEuOkCShhLoSjA8/5jafyPWZ4m1O1YpcFbaGCFDM=';
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-found-'));
  try {
    const authority = await openAuthority(directory, 'Test', Date.now);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${csr}\n-----END CERTIFICATE REQUEST-----\n`;
    const grant = { kind: 'admin', id: 'test' } as const;
    const wish = { csr: pem, uri: 'spiffe://a/connector/b', life: 3_600_000, grant };
    await assert.rejects(authority.issueClient(wish), { code: 'bad-csr' });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a portal that is no URL is a problem of the document among its others', () => {
  const reading = readDocument(
    gatewaySchema,
    'version: 1\npolicy: p\nportal: https://a:1{\nidentity: { providers: [{ id: a, name: A, issuer: "http://x", clientId: c }] }\napps: [{ id: a, name: A, host: a.b, connectors: [c] }]\n',
    'gateway.yaml',
  );
  assert.ok(!reading.ok);
  assert.deepEqual(
    reading.problems.map(({ path }) => path),
    ['portal', 'identity.providers[0].issuer'],
  );
});
