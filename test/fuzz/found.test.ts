// What long runs have found, each as the input that showed it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gatewaySchema } from '#gateway/config';
import { peopleListener } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { readDocument } from '#policy/document';
import { HOST } from './bed/installation.ts';
import { Line } from './bed/line.ts';

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

test('an upgrade behind a request under way ends no process where nobody counts connections', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-found-'));
  const authority = await openAuthority(directory, 'Test', Date.now);
  const taken: string[] = [];
  const { server } = peopleListener(
    await issueCertificate(authority, [HOST]),
    { connections: 10, perAddress: 10 },
    {
      take: ({ request }) => void taken.push(String(request.url)),
      unparsable: (_socket, code) => void taken.push(code),
    },
  );
  try {
    const line = new Line(HOST);
    server.emit('secureConnection', line);
    const head = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`;
    line.say(Buffer.from(head('/one') + head('/two', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')));
    await once(line, 'close');
    assert.deepEqual(taken, ['/one', 'ERR_HTTP_UPGRADE_PIPELINED']);
  } finally {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
