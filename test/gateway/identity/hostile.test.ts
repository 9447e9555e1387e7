// What a provider, or somebody between it and us, may try at a sign-in: each attempt ends in a refusal with a code, and
// nothing of ours is sent anywhere it was not meant for.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { exportSPKI, SignJWT } from 'jose';
import type { Claims } from '#gateway/identity/claims';
import { hashSecret, newSecret } from '#gateway/identity/cookies';
import type { Provider } from '#gateway/identity/providers';
import type { Sessions } from '#gateway/identity/sessions';
import { SignIn } from '#gateway/identity/sign-in';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { Attempts, CALLBACK } from './attempt.ts';
import { CLIENT, CLIENT_SECRET, type HostileProvider, json, type Key, newKey } from './hostile.ts';

let attempts: Attempts;
let hostile: HostileProvider;
let elsewhere: HostileProvider;

before(async () => {
  attempts = await Attempts.start();
  ({ hostile, elsewhere } = attempts);
});
afterEach(() => attempts.repent());
after(() => attempts.close());

const provider = (...of: Parameters<Attempts['provider']>): Provider => attempts.provider(...of);
const signIn = (...what: Parameters<Attempts['signIn']>): Promise<Claims> => attempts.signIn(...what);
const refused = (...what: Parameters<Attempts['refused']>): Promise<void> => attempts.refused(...what);

test('an honest provider is believed', async () => {
  const claims = await signIn();
  assert.equal(claims['sub'], 'ada');
  assert.equal(claims['name'], 'Ada');
});

describe('state, nonce and PKCE', () => {
  test('a nonce that is not ours, or none', async () => {
    hostile.claims = { nonce: 'another' };
    await refused('token-invalid');
    hostile.claims = { nonce: undefined };
    await refused('token-invalid');
  });
  test('a state that is not ours, none, or two', async () => {
    await refused('token-invalid', (callback) => callback.searchParams.set('state', 'another'));
    await refused('token-invalid', (callback) => callback.searchParams.delete('state'));
    await refused('token-invalid', (callback) => callback.searchParams.append('state', 'another'));
  });
  test('a code from somebody else’s sign-in: the verifier does not fit', async () => {
    const at = provider();
    const { state, nonce, verifier } = await at.begin();
    hostile.nonce = nonce;
    hostile.challenge = 'of-the-victim';
    const callback = new URL(`${CALLBACK}?${new URLSearchParams({ code: 'stolen', state })}`);
    await assert.rejects(at.finish(callback, { state, nonce, verifier }), { code: 'token-invalid' });
  });
  test('an answer in the fragment, or with tokens in the query, is no answer', async () => {
    await refused('token-invalid', (callback) => {
      callback.searchParams.delete('code');
      callback.searchParams.set('id_token', 'eyJ');
    });
    await refused('token-invalid', (callback) => {
      callback.searchParams.delete('code');
      callback.hash = 'id_token=eyJ&access_token=x';
    });
  });
});

describe('mix-up: whose answer it is', () => {
  test('an issuer in the callback that is another one’s', async () => {
    await refused('issuer-mismatch', (callback) => callback.searchParams.set('iss', elsewhere.issuer));
  });
  test('no issuer in the callback of a provider that sends one', async () => {
    hostile.metadata = { authorization_response_iss_parameter_supported: true };
    await refused('issuer-mismatch');
    const claims = await signIn(provider(), (callback) => callback.searchParams.set('iss', hostile.issuer));
    assert.equal(claims['sub'], 'ada');
  });
  test('an ID token of another issuer, of none, or of one with a slash more', async () => {
    for (const iss of [elsewhere.issuer, undefined, `${hostile.issuer}/`, '']) {
      hostile.claims = { iss };
      await refused('issuer-mismatch');
    }
  });
  test('metadata that speaks for another issuer', async () => {
    hostile.metadata = { issuer: elsewhere.issuer };
    await assert.rejects(provider().begin(), { code: 'provider-unreachable' });
  });
  test('a sign-in begun at one provider and finished at another’s address', async () => {
    const store = openEmbeddedStore(join(attempts.directory, 'state'), () => attempts.time);
    try {
      const providers = new Map([
        ['corp', provider()],
        ['evil', provider(elsewhere, 'evil')],
      ]);
      const sessions = { start: () => assert.fail('a session was made') } as unknown as Sessions;
      const flow = new SignIn(providers, store, sessions, () => attempts.time);
      const browser = newSecret();
      const at = new URL(await flow.begin({ provider: 'corp', browser }));
      const state = at.searchParams.get('state') ?? '';
      const callback = new URL(
        `https://access.example.com/callback/evil?${new URLSearchParams({ code: 'x', state })}`,
      );
      await assert.rejects(flow.finish('evil', callback, [browser], '192.0.2.1', undefined), {
        code: 'state-unknown',
      });
      assert.ok(!elsewhere.asked.includes('/token'), 'the code went to the other provider');
      assert.equal(await store.get('login', hashSecret(state)), undefined, 'and the state is burnt');
    } finally {
      await store.close();
    }
  });
});

describe('algorithms and keys', () => {
  const unsigned = (header: object, claims: object, signature = ''): string =>
    [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') +
    `.${signature}`;

  test('no signature, in every spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      hostile.idToken = (claims) => unsigned({ alg }, claims);
      await refused('token-invalid');
    }
  });
  test('HS256 with the client’s secret, or with the public key as the secret', async () => {
    const publicKey = await exportSPKI((hostile.keys[0] as Key).publicKey);
    for (const secret of [CLIENT_SECRET, publicKey, publicKey.trim(), '']) {
      hostile.idToken = (claims) => {
        const input = unsigned({ alg: 'HS256', kid: 'key-1' }, claims).slice(0, -1);
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      };
      await refused('token-invalid');
    }
  });
  test('another algorithm than the one that is configured', async () => {
    hostile.idToken = (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'PS256', kid: 'key-1' })
        .sign((hostile.keys[0] as Key).privateKey);
    await refused('token-invalid');
  });
  test('a key that the token brings itself, or points to', async () => {
    const own = newKey('own');
    for (const header of [
      { jwk: own.publicKey.export({ format: 'jwk' }) },
      { jku: `${elsewhere.issuer}/jwks` },
      { x5u: `${elsewhere.issuer}/jwks` },
      { kid: 'own', jku: `${elsewhere.issuer}/jwks` },
      { kid: '../../jwks' },
      { crit: ['exp'] },
      { b64: false, crit: ['b64'] },
    ]) {
      hostile.idToken = (claims) =>
        hostile.sign(claims, header, own).catch(() => unsigned({ alg: 'RS256', ...header }, claims, 'AAAA'));
      elsewhere.keys = [own];
      await refused('token-invalid');
    }
    assert.deepEqual(elsewhere.asked, [], 'nobody was asked for keys but the provider');
  });
  const publish = (keys: object[]) => (response: ServerResponse) => {
    json(response, 200, { keys });
    return true as const;
  };
  test('two keys of one name, a key for encryption, a secret key, none at all', async () => {
    const [one, two] = [hostile.keys[0] as Key, newKey('key-1')];
    hostile.keys = [one, two];
    await refused('token-invalid');
    hostile.keys = [one];
    for (const change of [
      { use: 'enc' },
      { key_ops: ['sign'] },
      { alg: 'PS256' },
      { kty: 'oct', k: 'AAAA' },
    ]) {
      const jwk = { ...one.publicKey.export({ format: 'jwk' }), kid: 'key-1', ...change };
      hostile.misdeeds.jwks = publish([jwk]);
      await refused('token-invalid');
    }
    hostile.misdeeds.jwks = publish([]);
    await refused('token-invalid');
  });
  test('a signature of another key, cut, or over other claims', async () => {
    hostile.idToken = (claims) => hostile.sign(claims, { kid: 'key-1' }, newKey('key-1'));
    await refused('token-invalid');
    hostile.idToken = async (claims) => (await hostile.sign(claims, {}, hostile.keys[0] as Key)).slice(0, -5);
    await refused('token-invalid');
    hostile.idToken = async (claims) => {
      const [head, , signature] = (await hostile.sign(claims, {}, hostile.keys[0] as Key)).split('.');
      const body = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
      return [head, body, signature].join('.');
    };
    await refused('token-invalid');
  });
  test('keys are rotated without a failed sign-in, and a name nobody knows is looked up at most twice a minute', async () => {
    const at = provider();
    await signIn(at);
    hostile.keys = [newKey('key-2')];
    assert.equal((await signIn(at))['sub'], 'ada');
    const before = hostile.asked.filter((path) => path === '/jwks').length;
    hostile.header = { kid: 'nobody-knows' };
    for (let i = 0; i < 5; i += 1) await assert.rejects(signIn(at), { code: 'token-invalid' });
    assert.equal(hostile.asked.filter((path) => path === '/jwks').length, before);
    attempts.time += 31_000;
    await assert.rejects(signIn(at), { code: 'token-invalid' });
    assert.equal(hostile.asked.filter((path) => path === '/jwks').length, before + 1);
  });
});

describe('audience and times', () => {
  const now = (): number => Math.floor(Date.now() / 1000);
  const wrong: [name: string, claims: () => Record<string, unknown>][] = [
    ['for another client', () => ({ aud: 'another' })],
    ['for nobody', () => ({ aud: undefined })],
    ['for an empty list', () => ({ aud: [] })],
    ['for several, made for another', () => ({ aud: [CLIENT, 'another'], azp: 'another' })],
    ['for several, made for nobody in particular', () => ({ aud: [CLIENT, 'another'] })],
    ['for us, made for another', () => ({ azp: 'another' })],
    ['run out', () => ({ exp: now() - 120 })],
    ['without an end', () => ({ exp: undefined })],
    ['not valid yet', () => ({ nbf: now() + 3600 })],
    ['without a beginning', () => ({ iat: undefined })],
    ['with an end that is text', () => ({ exp: String(now() + 300) })],
    ['without a subject', () => ({ sub: undefined })],
  ];
  for (const [name, claims] of wrong) {
    test(`an ID token ${name}`, async () => {
      hostile.claims = claims();
      await refused('token-invalid');
    });
  }
  test('every sign-in asks when the person signed in, and takes one that is old', async () => {
    const { url } = await provider().begin();
    assert.ok(Number(url.searchParams.get('max_age')) > 366 * 86_400, url.href);
    const long = now() - 365 * 86_400;
    hostile.claims = { auth_time: long };
    assert.equal((await signIn())['auth_time'], long);
  });
  test('a step-up answered with an old sign-in', async () => {
    const at = provider();
    const { url, state, nonce, verifier } = await at.begin(0);
    assert.equal(url.searchParams.get('max_age'), '0');
    [hostile.nonce, hostile.challenge] = [nonce, url.searchParams.get('code_challenge') ?? ''];
    const callback = new URL(`${CALLBACK}?${new URLSearchParams({ code: 'x', state })}`);
    for (const [auth_time, code] of [
      [now() - 3600, 'login-too-old'],
      [undefined, 'login-too-old'],
    ] as const) {
      hostile.claims = { auth_time };
      await assert.rejects(at.finish(callback, { state, nonce, verifier, maxAge: 0 }), { code });
    }
  });
});
