// Logout tokens: what OpenID Connect Back-Channel Logout 1.0 asks for, and each way of falling short of it.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { ProviderConfig } from '#gateway/config';
import { readLogoutToken } from '#gateway/identity/logout-token';
import { ProviderKeys } from '#gateway/identity/provider-keys';

const provider = {
  id: 'corp',
  issuer: 'https://id.example.com',
  clientId: 'sallyport',
  signingAlgorithm: 'ES256',
} as ProviderConfig;
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const NOW = 1_800_000_000;

describe('a logout token', () => {
  let keys: ProviderKeys;
  let sign: (claims: JWTPayload, header?: object) => Promise<string>;
  let loads = 0;
  let now = NOW * 1000;
  before(async () => {
    const pair = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' };
    keys = new ProviderKeys(
      async () => {
        loads += 1;
        return { keys: [jwk] };
      },
      () => now,
    );
    sign = (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one', ...header }).sign(pair.privateKey);
  });
  const good = (): JWTPayload => ({
    ...{ iss: provider.issuer, aud: provider.clientId, iat: NOW, exp: NOW + 120, jti: 'a' },
    ...{ sub: 'ada', sid: 's-1', events: { [EVENT]: {} } },
  });
  const read = async (claims: JWTPayload, header?: object) =>
    readLogoutToken(await sign(claims, header), provider, keys.find, now);

  test('says whose sessions end', async () => {
    const wish = { token: 'a', expiresAt: (NOW + 180) * 1000 };
    const subject = 'https://id.example.com#ada';
    assert.deepEqual(await read(good()), { ...wish, subject, session: 's-1' });
    const { sid: _sid, ...person } = good();
    assert.deepEqual(await read(person, { typ: 'logout+jwt' }), { ...wish, subject });
    const { sub: _sub, ...session } = good();
    assert.deepEqual(await read(session), { ...wish, session: 's-1' });
    // Sign-ins keep no longer names: all of the person's sessions end.
    assert.deepEqual(await read({ ...good(), sid: 's'.repeat(257) }), { ...wish, subject });
  });

  const changed = (change: object) => ({ ...good(), ...change });
  const refused: [name: string, claims: () => JWTPayload, header?: object][] = [
    ['of another issuer', () => changed({ iss: 'https://evil.example' })],
    ['for another client', () => changed({ aud: 'other' })],
    ['that has expired', () => changed({ iat: NOW - 200, exp: NOW - 100 })],
    ['that is old, whatever it says of its end', () => changed({ iat: NOW - 3600 })],
    ['without an end', () => changed({ exp: undefined })],
    ['without a name', () => changed({ jti: undefined })],
    ['without an event', () => changed({ events: undefined })],
    ['with another event', () => changed({ events: { other: {} } })],
    ['whose event is no object', () => changed({ events: { [EVENT]: 'yes' } })],
    ['with a nonce, as an ID token has', () => changed({ nonce: 'n' })],
    ['that names nobody', () => changed({ sub: undefined, sid: undefined })],
    ['whose session has no name', () => changed({ sid: '' })],
    [
      'whose session has an endless name, and nobody else',
      () => changed({ sub: undefined, sid: 's'.repeat(257) }),
    ],
    ['with an endless name', () => changed({ sub: 'x'.repeat(300) })],
    ['of another type', good, { typ: 'at+jwt' }],
    ['signed with an unknown key', good, { kid: 'two' }],
  ];
  for (const [name, claims, header] of refused) {
    test(`${name} ends nothing`, () => assert.rejects(read(claims(), header)));
  }

  test('that is not signed ends nothing', async () => {
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const body = Buffer.from(JSON.stringify(good())).toString('base64url');
    await assert.rejects(readLogoutToken(`${none}.${body}.`, provider, keys.find, now));
  });

  test('with an unknown key makes us look for it at most twice a minute', async () => {
    now += 60_000;
    const before = loads;
    for (let i = 0; i < 20; i += 1) await assert.rejects(read(good(), { kid: `unknown-${i}` }));
    assert.equal(loads, before + 1);
    now += 30_000;
    await assert.rejects(read(good(), { kid: 'unknown' }));
    assert.equal(loads, before + 2);
  });
});
