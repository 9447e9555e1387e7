// The private CA as other tools see it, and enrolment tokens under a race.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { globSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Authority, type Issued, IssueError, openAuthority } from '#gateway/pki/authority';
import { connectorOf, EnrolmentDesk, EnrolmentError, serviceName, serviceOf } from '#gateway/pki/enrolment';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { requires } from '#test/requires';
import { requestFor as request } from './signing-request.ts';

const HOUR = 3_600_000;
const root = mkdtempSync(join(tmpdir(), 'sallyport-pki-'));
let time = Date.parse('2026-03-04T10:00:00Z');
const now = (): number => time;
let authority: Authority;
let store: EmbeddedStore;
let desk: EnrolmentDesk;

before(async () => {
  authority = await openAuthority(join(root, 'ca'), 'Test CA', now);
  store = openEmbeddedStore(join(root, 'state'), now);
  desk = new EnrolmentDesk({
    store,
    authority,
    trustDomain: 'test.internal',
    certificateLife: 24 * HOUR,
    now,
  });
});
after(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

async function connector(csr?: string): Promise<Issued> {
  const uri = 'spiffe://test.internal/connector/berlin-1';
  const grant = { kind: 'admin', id: 'test' } as const;
  return authority.issueClient({ csr: csr ?? (await request()), uri, life: HOUR, grant });
}

describe('the authority', () => {
  test('is the same after a restart, and its key is private', async () => {
    const again = await openAuthority(join(root, 'ca'), 'ignored', now);
    assert.equal(again.fingerprint, authority.fingerprint);
    for (const name of globSync('ca/{*.key,passphrase}', { cwd: root })) {
      assert.equal(statSync(join(root, name)).mode & 0o777, 0o600, name);
    }
  });

  test('issues what openssl verifies', { skip: requires('openssl') }, async () => {
    const server = await authority.issueServer(['wiki.example.com', '192.0.2.1'], HOUR);
    const client = await connector();
    writeFileSync(join(root, 'server.pem'), server.certificate);
    writeFileSync(join(root, 'client.pem'), client.certificate);
    const at = String(Math.floor(time / 1000));
    const verify = (purpose: string, file: string, ...more: string[]): string =>
      execFileSync(
        'openssl',
        [
          ...['verify', '-x509_strict', '-attime', at, '-purpose', purpose],
          ...['-CAfile', 'ca/ca.pem', '-untrusted', file, ...more, file],
        ],
        {
          cwd: root,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    assert.match(verify('sslserver', 'server.pem', '-verify_hostname', 'wiki.example.com'), /OK/);
    assert.match(verify('sslclient', 'client.pem'), /OK/);
    assert.throws(() => verify('sslserver', 'client.pem'));
    assert.throws(() => verify('sslclient', 'server.pem'));
    assert.throws(() => verify('sslserver', 'server.pem', '-verify_hostname', 'other.example.com'));
  });

  test('puts only its own words into a certificate, whatever the request says', async () => {
    const issued = await connector();
    const certificate = new X509Certificate(issued.certificate);
    assert.equal(certificate.subjectAltName, 'URI:spiffe://test.internal/connector/berlin-1');
    assert.equal(certificate.subject, 'CN=berlin-1');
    assert.equal(certificate.serialNumber, issued.serial);
    assert.equal(Date.parse(certificate.validTo), issued.notAfter);
  });

  test('gives a gateway a key of its own and a certificate that names it to other gateways', async () => {
    const uri = 'spiffe://test.internal/gateway/edge-1';
    const { certificate: pem, key } = await authority.issuePeer(uri, HOUR);
    const certificate = new X509Certificate(pem);
    assert.equal(certificate.subjectAltName, `URI:${uri}`);
    assert.equal(certificate.subject, 'CN=edge-1');
    assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
    assert.equal(certificate.ca, false);
    assert.equal(authority.vouchesFor(certificate), true);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'it is a client');
  });

  test('vouches for its own certificates in their time only', async () => {
    const issued = await authority.issueServer(['a.example'], HOUR);
    const certificate = new X509Certificate(issued.certificate);
    assert.equal(authority.vouchesFor(certificate), true);
    const other = await openAuthority(join(root, 'other'), 'Test CA', now);
    assert.equal(other.vouchesFor(certificate), false);
    time += 2 * HOUR;
    assert.equal(authority.vouchesFor(certificate), false);
    time -= 2 * HOUR;
  });

  for (const [name, make] of Object.entries({
    nonsense: async (): Promise<string> => 'not a request',
    'an empty string': async (): Promise<string> => '',
    megabytes: async () => 'x'.repeat(1 << 20),
    'another curve': () => request('P-384'),
    'a signature by another key': async () => {
      const text = await request();
      const der = Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64');
      const last = der.length - 1;
      der[last] = (der[last] ?? 0) ^ 1;
      return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    },
  })) {
    test(`refuses a request that is ${name}`, async () => {
      await assert.rejects(make().then(connector), IssueError);
    });
  }
});

describe('enrolment', () => {
  test('a token works once', async () => {
    const { token } = await desk.createToken('berlin-1', HOUR, 'admin');
    const issued = await desk.enrol(token, await request());
    assert.equal(issued.name, 'berlin-1');
    assert.equal(await desk.admits('berlin-1', issued.serial), true);
    assert.equal(await desk.admits('berlin-1', 'ABCD'), false);
    await assert.rejects(desk.enrol(token, await request()), { code: 'token-used' });
  });

  test('of fifty parallel uses exactly one succeeds', async () => {
    const { token } = await desk.createToken('berlin-2', HOUR, 'admin');
    const csr = await request();
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => desk.enrol(token, csr)));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('an expired token says so', async () => {
    const { token } = await desk.createToken('berlin-3', 60_000, 'admin');
    time += 61_000;
    await assert.rejects(desk.enrol(token, await request()), { code: 'token-expired' });
  });

  test('a bad request burns the token all the same', async () => {
    const { token } = await desk.createToken('berlin-4', HOUR, 'admin');
    await assert.rejects(desk.enrol(token, 'nonsense'), IssueError);
    await assert.rejects(desk.enrol(token, await request()), { code: 'token-used' });
  });

  test('a token is bound to its name', async () => {
    const { token } = await desk.createToken('berlin-5', HOUR, 'admin');
    const [prefix = '', payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forged = `${prefix}.${Buffer.from(JSON.stringify({ ...claims, name: 'paris-1' })).toString('base64url')}`;
    await assert.rejects(desk.enrol(forged, await request()), EnrolmentError);
    assert.equal(await store.get('connector', 'paris-1'), undefined);
  });

  for (const nonsense of [
    '',
    'x',
    'sallyport-enrol.',
    'sallyport-enrol.e30',
    `sallyport-enrol.${'A'.repeat(10_000)}`,
  ]) {
    test(`refuses ${JSON.stringify(nonsense.slice(0, 24))} as a token`, async () => {
      await assert.rejects(desk.enrol(nonsense, await request()), { code: 'token-malformed' });
    });
  }

  test('only a connector that enrolled can renew, and what its replicas hold stays good until it runs out', async () => {
    await assert.rejects(desk.renew('never-seen', '0A', await request(), ''), { code: 'connector-revoked' });
    const { token } = await desk.createToken('berlin-6', HOUR, 'admin');
    const first = await desk.enrol(token, await request());
    time += 12 * HOUR;
    const second = await desk.renew('berlin-6', first.serial, await request(), first.certificate);
    const third = await desk.renew('berlin-6', first.serial, await request(), first.certificate);
    const admitted = (): Promise<boolean[]> =>
      Promise.all([first, second, third].map(({ serial }) => desk.admits('berlin-6', serial)));
    assert.deepEqual(await admitted(), [true, true, true]);
    time += 13 * HOUR;
    await desk.renew('berlin-6', first.serial, await request(), first.certificate);
    assert.deepEqual(await admitted(), [false, true, true]);
  });

  test('a certificate names a connector only in our form', () => {
    const name = (san: string | undefined): string | undefined => connectorOf(san, 'test.internal');
    assert.equal(name('URI:spiffe://test.internal/connector/berlin-1'), 'berlin-1');
    for (const san of [
      undefined,
      '',
      'DNS:berlin-1',
      'URI:spiffe://other.internal/connector/berlin-1',
      'URI:spiffe://test.internal/connector/',
      'URI:spiffe://test.internal/connector/a/b',
      'URI:spiffe://test.internal/connector/a, URI:spiffe://test.internal/connector/b',
      'URI:spiffe://test.internal/connector/UPPER',
      'URI:spiffe://test.internal/service/berlin-1',
      // What a certificate's text may hold beside the name, as bytes and as Node writes them.
      'URI:spiffe://test.internal/connector/berlin-1\0',
      'URI:spiffe://test.internal/connector/berlin-1\0.evil.example',
      'URI:"spiffe://test.internal/connector/berlin-1\\u0000.evil.example"',
      'URI:spiffe://test.internal/connector/berlin-1%00',
      'URI:spiffe://test.internal/connector/berlin-1\n',
      'URI:spiffe://test.internal/connector/berlin-1\r\nURI:x',
      'URI:spiffe://test.internal/connector/berlin-1 ',
      'URI:spiffe://test.internal/connector/berlin-1\u2028',
      'URI:spiffe://test.internal/connector/berlin\u20101',
      'URI:spiffe://test.internal/connector/b\u0435rlin-1',
      'URI:spiffe://test.internal/connector/berlin-1\x7f',
      'URI:spiffe://test.internal/connector/berlin-1?x',
      'URI:spiffe://test.internal/connector/berlin-1#x',
      'URI:spiffe://a@test.internal/connector/berlin-1',
      'URI:spiffe://test.internal:1/connector/berlin-1',
      'URI:spiffe://test.internal\0.evil/connector/berlin-1',
      'URI:spiffe://test.internal/connector/../connector/berlin-1',
      'URI:spiffe://test.internal/connector/berlin-1, DNS:berlin-1',
    ]) {
      assert.equal(name(san), undefined, String(san));
    }
  });

  test('and a service only in the form of one', () => {
    const name = (san: string | undefined): string | undefined => serviceOf(san, 'test.internal');
    assert.equal(name('URI:spiffe://test.internal/service/billing'), serviceName('billing'));
    for (const san of [
      undefined,
      '',
      'DNS:billing',
      'DNS:spiffe://test.internal/service/billing',
      'URI:spiffe://other.internal/service/billing',
      'URI:spiffe://test.internal.evil/service/billing',
      'URI:spiffe://test.internal/service/',
      'URI:spiffe://test.internal/service/a/b',
      'URI:spiffe://test.internal/service/a, URI:spiffe://test.internal/service/b',
      'URI:spiffe://test.internal/service/UPPER',
      'URI:spiffe://test.internal/connector/billing',
      'URI:spiffe://test.internal/billing',
    ]) {
      assert.equal(name(san), undefined, String(san));
    }
  });
});
