// Who a server is, for whatever of ours dials: by the names in its certificate's bytes, each of its own kind.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer, type PeerCertificate } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { outboundAgent } from '#connectors/wire/outbound';
import { serverIdentity } from '#connectors/wire/server-identity';

const EC = { name: 'ECDSA', namedCurve: 'P-256' };

type Keys = Awaited<ReturnType<typeof crypto.subtle.generateKey>> & { privateKey: never; publicKey: never };

interface Certificate {
  readonly pem: string;
  readonly key: string;
}

async function certificate(names: x509.JsonGeneralNames, subject = 'CN=test'): Promise<Certificate> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as Keys;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: '01', name: subject, keys },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return { pem: made.toString('pem'), key: String(key.export({ format: 'pem', type: 'pkcs8' })) };
}

/** Dials a server that shows `shown` as `host`; 'open', or why not. */
async function dialled(t: TestContext, shown: Certificate, host: string): Promise<string> {
  const server = createServer({ cert: shown.pem, key: shown.key }, (socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const agent = outboundAgent(
    {
      ca: shown.pem,
      keepAlive: false,
      lookup: (_name, options, callback) => {
        if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
        else callback(null, '127.0.0.1', 4);
      },
    },
    {},
  );
  const { promise, resolve } = Promise.withResolvers<string>();
  request({ host, port, agent }, (response) => resolve(response.statusCode === 204 ? 'open' : 'odd'))
    .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    .end();
  return promise;
}

test('a server is dialled by a name that its certificate has, of the right kind', async (t) => {
  const open: [host: string, names: x509.JsonGeneralNames][] = [
    ['gateway.test', [{ type: 'dns', value: 'gateway.test' }]],
    ['GATEWAY.test', [{ type: 'dns', value: 'gateway.test' }]],
    ['a.gateway.test', [{ type: 'dns', value: '*.gateway.test' }]],
    ['127.0.0.1', [{ type: 'ip', value: '127.0.0.1' }]],
  ];
  for (const [host, names] of open) {
    assert.equal(
      await dialled(t, await certificate(names), host),
      'open',
      `${host} ${JSON.stringify(names)}`,
    );
  }
});

test('a name of another kind, another place or another depth is not one', async (t) => {
  const refused: [host: string, names: x509.JsonGeneralNames, subject?: string][] = [
    ['127.0.0.1', [{ type: 'dns', value: '127.0.0.1' }]],
    ['127.0.0.1', [{ type: 'url', value: 'https://127.0.0.1/' }], 'CN=127.0.0.1'],
    ['gateway.test', [{ type: 'url', value: 'https://gateway.test/' }]],
    ['gateway.test', [{ type: 'email', value: 'x@gateway.test' }]],
    ['gateway.test', [{ type: 'dns', value: 'other.test' }], 'CN=gateway.test'],
    ['gateway.test', [{ type: 'dns', value: 'other.test, DNS:gateway.test' }]],
    ['gateway.test', [{ type: 'dns', value: 'gateway.test\0.evil.test' }]],
    ['a.b.gateway.test', [{ type: 'dns', value: '*.gateway.test' }]],
    [
      'gateway.test',
      [
        { type: 'dns', value: '*.test' },
        { type: 'dns', value: '*' },
      ],
    ],
    ['gateway.test', [{ type: 'dns', value: 'gateway.test.evil.test' }]],
  ];
  for (const [host, names, subject] of refused) {
    const came = await dialled(t, await certificate(names, subject), host);
    assert.match(
      came,
      /ERR_TLS_CERT_ALTNAME|not for/,
      `${host} ${JSON.stringify(names)} ${subject}: ${came}`,
    );
  }
});

test('when the runtime is fooled by a certificate’s text, its bytes still decide', async () => {
  const other = new X509Certificate((await certificate([{ type: 'dns', value: 'other.test' }])).pem);
  const fooled = (subjectaltname: string): PeerCertificate =>
    ({ ...other.toLegacyObject(), subjectaltname }) as unknown as PeerCertificate;
  assert.equal(serverIdentity('other.test', fooled('DNS:other.test')), undefined);
  assert.match(String(serverIdentity('gateway.test', fooled('DNS:gateway.test'))), /byte by byte/);
  assert.match(String(serverIdentity('127.0.0.1', fooled('IP Address:127.0.0.1'))), /byte by byte/);
  const without = { subject: { CN: 'x' }, subjectaltname: 'DNS:gateway.test' } as PeerCertificate;
  assert.match(String(serverIdentity('gateway.test', without)), /byte by byte/);
});
