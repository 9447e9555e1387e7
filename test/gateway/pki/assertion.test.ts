// Assertions: what is in them, and that a back end takes those that are for it and nothing else.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { AssertionSigner } from '#gateway/pki/assertion';
import { openAuthority } from '#gateway/pki/authority';
import type { KeyRing } from '#gateway/pki/key-ring';
import { type AssertionFailure, createVerifier, type Seen, type Verify } from '#gateway/pki/verify';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { requires } from '#test/requires';
import { Clock, CONTEXT, DAY, ISSUER, openRing, signerOf } from './signing.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-assertion-'));
const clock = new Clock();
let store: EmbeddedStore;
let ring: KeyRing;
let signer: AssertionSigner;
let verify: Verify;

const keysOf = (jwks: KeyRing['jwks']): JSONWebKeySet => jwks as unknown as JSONWebKeySet;

before(async () => {
  store = openEmbeddedStore(root, clock.now);
  ring = await openRing(store, clock);
});
beforeEach(async () => {
  signer = await signerOf(store, clock);
  verify = createVerifier({ issuer: ISSUER, audience: 'wiki', keys: keysOf(signer.jwks), now: clock.now });
});
after(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

describe('what an assertion says', () => {
  test('jose finds it good with the published key, for its app and its minute only', async () => {
    const token = signer.assertion(CONTEXT);
    const options = { issuer: ISSUER, audience: 'wiki', typ: 'sallyport-assertion+jwt' };
    const at = (time: number): { currentDate: Date } => ({ currentDate: new Date(time) });
    const keys = createLocalJWKSet(keysOf(signer.jwks));
    const { payload } = await jwtVerify(token, keys, { ...options, ...at(clock.time) });
    assert.deepEqual(
      [payload.sub, payload['sid'], payload['groups']],
      ['https://id#1', 'session-1', CONTEXT.subject.groups],
    );
    assert.deepEqual(payload['act'], { sub: 'spiffe://test.internal/gateway/edge-1' });
    assert.equal(payload['txn'], payload.jti);
    assert.equal(Number(payload.exp) - Number(payload.iat), 60);
    assert.equal(decodeProtectedHeader(token).alg, 'ES256');
    assert.ok(!('device' in payload) && !('cnf' in payload) && !('risk' in payload));
    await assert.rejects(jwtVerify(token, keys, { ...options, audience: 'other', ...at(clock.time) }));
    await assert.rejects(jwtVerify(token, keys, { ...options, ...at(clock.time + 61_000) }));
  });

  test('the device, its posture and the risk, where they are known', async () => {
    const device = { id: 'laptop-7', attested: true, secureBoot: true, quotedAt: clock.time };
    const claims = await verify(
      signer.assertion({
        ...{ ...CONTEXT, device, deviceKey: 'thumb', deviceBoot: '7.0', risk: 12 },
        deviceUntil: clock.time + 1_999,
      }),
    );
    assert.deepEqual(claims.device, {
      id: 'laptop-7',
      key: 'thumb',
      boot: '7.0',
      until: Math.floor(clock.time / 1000) + 1,
      posture: { attested: true, secureBoot: true, quotedAt: clock.time / 1000 },
    });
    assert.equal(claims.risk, 12);
  });

  test('only the groups that the app is to know', async () => {
    const claims = await verify(
      signer.assertion({ ...CONTEXT, wishes: { bind: 'session', groups: ['corp:staff', 'corp:none'] } }),
    );
    assert.deepEqual(claims.groups, ['corp:staff']);
  });

  test('is said anew after half its life, and at once when anything in it changes', () => {
    const token = signer.assertion(CONTEXT);
    assert.equal(signer.assertion(CONTEXT), token);
    const posture = { id: 'laptop-7', attested: true };
    for (const other of [
      { policy: 'hash-2' },
      { app: 'other' },
      { session: 'session-2' },
      { device: posture },
      { device: { ...posture, attested: false } },
      { risk: 50 },
      { certificate: 'A'.repeat(43) },
      { login: { provider: 'corp', at: 2_000 } },
    ]) {
      assert.notEqual(signer.assertion({ ...CONTEXT, ...other }), token, JSON.stringify(other));
    }
    const current = signer.assertion(CONTEXT);
    clock.time += 30_001;
    assert.notEqual(signer.assertion(CONTEXT), current);
  });

  test('is forgotten when it would not be said again: sessions come and go', () => {
    for (let minute = 0; minute < 3; minute += 1) {
      for (let index = 0; index < 5; index += 1)
        signer.assertion({ ...CONTEXT, session: `session-${minute}-${index}` });
      assert.equal(signer.kept, 5);
      clock.time += 60_000;
    }
  });

  test('bound to a request it names method, address, decision and trace, and is never used twice', async () => {
    const bound = { ...CONTEXT, wishes: { bind: 'request' } } as const;
    const token = signer.assertion(bound);
    assert.notEqual(signer.assertion(bound), token);
    const claims = await verify(token, { method: 'get', url: 'https://wiki.example.com/a?b=c' });
    assert.deepEqual(
      [claims.htm, claims.htu, claims.policy, claims.txn],
      ['GET', 'https://wiki.example.com/a', { rev: 'hash-1', decision: 'decision-1' }, 'trace-1'],
    );
  });
});

describe('a back end refuses', () => {
  let certificate: X509Certificate;
  before(async () => {
    const authority = await openAuthority(join(root, 'ca'), 'Test CA', clock.now);
    certificate = new X509Certificate((await authority.issueServer(['a.example'], DAY)).certificate);
  });

  /** An assertion with other words, signed with the right key. */
  async function resigned(changed: object, header: object = {}): Promise<string> {
    const { kid, key } = ring.signing;
    return new SignJWT({ ...decodeJwt(signer.assertion(CONTEXT)), ...changed })
      .setProtectedHeader({ alg: 'ES256', typ: 'sallyport-assertion+jwt', kid, ...header })
      .sign(key);
  }

  const seconds = (): number => Math.floor(clock.time / 1000);
  const thumbprint = (): string =>
    Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  const refused: readonly [
    string,
    AssertionFailure,
    () => string | undefined | Promise<string>,
    (() => Seen)?,
  ][] = [
    ['nothing', 'missing', () => undefined],
    ['an empty header', 'missing', () => ''],
    ['nonsense', 'malformed', () => 'x.y.z'],
    ['megabytes', 'malformed', () => 'x'.repeat(1 << 20)],
    [
      'two, as two headers are joined',
      'malformed',
      () => `${signer.assertion(CONTEXT)}, ${signer.assertion(CONTEXT)}`,
    ],
    ['one without signature', 'malformed', () => signer.assertion(CONTEXT).replace(/\.[^.]*$/, '')],
    [
      'alg none',
      'algorithm-other',
      () => `${base64({ alg: 'none', typ: 'sallyport-assertion+jwt' })}.${base64({})}.`,
    ],
    ['another algorithm', 'algorithm-other', () => `${base64({ alg: 'HS256' })}.${base64({})}.AAAA`],
    [
      'a critical extension',
      'malformed',
      () => `${base64({ alg: 'ES256', crit: ['x'], x: 1 })}.${base64({})}.AAAA`,
    ],
    [
      'a changed word',
      'signature-invalid',
      () => signer.assertion(CONTEXT).replace(/\.[^.]+\./, `.${base64({ sub: 'eve' })}.`),
    ],
    ['an unknown key', 'key-unknown', () => resigned({}, { kid: 'other' })],
    ['an ID token', 'type-other', () => resigned({}, { typ: 'JWT' })],
    ['another installation', 'issuer-other', () => resigned({ iss: 'https://evil.example' })],
    ['another app', 'audience-other', () => signer.assertion({ ...CONTEXT, app: 'payroll' })],
    [
      'yesterday’s',
      'expired',
      () => resigned({ iat: seconds() - 120, nbf: seconds() - 120, exp: seconds() - 60 }),
    ],
    ['tomorrow’s', 'not-yet-valid', () => resigned({ nbf: seconds() + 3600 })],
    ['one that lives long', 'claim-invalid', () => resigned({ exp: seconds() + 3600 })],
    ['one for nobody', 'claim-invalid', () => resigned({ sub: undefined })],
    ['one without end', 'claim-invalid', () => resigned({ exp: undefined })],
    [
      'a bound one where no certificate was shown',
      'certificate-missing',
      () => resigned({ cnf: { 'x5t#S256': thumbprint() } }),
    ],
    [
      'a stolen bound one',
      'certificate-other',
      () => resigned({ cnf: { 'x5t#S256': 'AAAA' } }),
      () => ({ certificate }),
    ],
    [
      'an unreadable certificate',
      'certificate-missing',
      () => resigned({ cnf: { 'x5t#S256': 'A' } }),
      () => ({ certificate: 'x' }),
    ],
    ['a binding it does not know', 'claim-invalid', () => resigned({ cnf: { jkt: 'A' } })],
    ['a binding that is null', 'claim-invalid', () => resigned({ cnf: null })],
    [
      'one for a request it was not told',
      'request-missing',
      () => resigned({ htm: 'GET', htu: 'https://a/' }),
    ],
    [
      'one for another address',
      'request-other',
      () => resigned({ htm: 'GET', htu: 'https://a/' }),
      () => ({ method: 'GET', url: 'https://a/b' }),
    ],
    [
      'one for another method',
      'request-other',
      () => resigned({ htm: 'GET', htu: 'https://a/' }),
      () => ({ method: 'POST', url: 'https://a/' }),
    ],
  ];
  for (const [what, code, token, seen] of refused) {
    test(`${what}: ${code}`, async () => {
      await assert.rejects(verify(await token(), seen?.()), { name: 'AssertionError', code });
    });
  }

  test('where it wants them bound, one that is good on any connection: certificate-unbound', async () => {
    const strict = createVerifier({
      ...{ issuer: ISSUER, audience: 'wiki', keys: keysOf(signer.jwks), now: clock.now },
      requireCertificate: true,
    });
    await assert.rejects(strict(signer.assertion(CONTEXT), { certificate }), { code: 'certificate-unbound' });
    const bound = signer.assertion({ ...CONTEXT, certificate: thumbprint() });
    assert.deepEqual((await strict(bound, { certificate })).cnf, { 'x5t#S256': thumbprint() });
    await assert.rejects(strict(bound), { code: 'certificate-missing' });
  });

  test('and takes one bound to the certificate that was shown', async () => {
    const token = await resigned({ cnf: { 'x5t#S256': thumbprint() } });
    for (const shown of [certificate, certificate.toString(), certificate.raw]) {
      assert.equal((await verify(token, { certificate: shown })).sub, 'https://id#1');
    }
  });

  test('says that the keys cannot be got, and never the assertion', async () => {
    const offline = createVerifier({
      issuer: ISSUER,
      audience: 'wiki',
      fetch: () => Promise.reject(new Error('no route')),
      now: clock.now,
    });
    const token = signer.assertion(CONTEXT);
    await assert.rejects(offline(token), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'keys-unreachable');
      assert.match(error.message, /access\.example\.com\/\.well-known\/jwks\.json/);
      assert.ok(!error.message.includes(token.slice(-20)));
      return true;
    });
  });
});

test('Go’s standard library finds an assertion good, and a changed one not', {
  skip: requires('go'),
}, (t) => {
  const token = signer.assertion(CONTEXT);
  writeFileSync(join(root, 'jwks.json'), JSON.stringify(signer.jwks));
  const program = join(import.meta.dirname, 'verify-assertion.go');
  const go = (text: string): string =>
    execFileSync(
      'go',
      ['run', program, join(root, 'jwks.json'), ISSUER, 'wiki', String(Math.floor(clock.time / 1000))],
      {
        input: text,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
  assert.equal(go(token), 'https://id#1\n');
  const [header, , signature] = token.split('.');
  const changed = Buffer.from(JSON.stringify({ ...decodeJwt(token), sub: 'eve' })).toString('base64url');
  assert.throws(() => go(`${header}.${changed}.${signature}`), /signature/);
  t.diagnostic('checked by crypto/ecdsa');
});
