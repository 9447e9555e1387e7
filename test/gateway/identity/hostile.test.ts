// What a provider, or somebody between it and us, may try at a sign-in. Each attempt ends in a refusal with a code, in
// bounded time and memory, and nothing of ours is sent anywhere it was not meant for.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { exportSPKI, SignJWT } from 'jose';
import { type Claims, ClaimsError, subjectOf } from '#gateway/identity/claims';
import { hashSecret, newSecret } from '#gateway/identity/cookies';
import { LoginError, Provider } from '#gateway/identity/providers';
import type { Sessions } from '#gateway/identity/sessions';
import { SignIn } from '#gateway/identity/sign-in';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { CLIENT, CLIENT_SECRET, HostileProvider, json, type Key, newKey } from './hostile.ts';

const CALLBACK = 'https://access.example.com/callback/corp';

let directory: string;
let hostile: HostileProvider;
let elsewhere: HostileProvider;
let time = Date.now();

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-hostile-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  writeFileSync(join(directory, 'ca.pem'), authority.certificate);
  writeFileSync(join(directory, 'secret'), CLIENT_SECRET, { mode: 0o600 });
  const certificate = await issueCertificate(authority, ['localhost']);
  hostile = await HostileProvider.start(certificate);
  elsewhere = await HostileProvider.start(certificate);
});
afterEach(() => {
  hostile.repent();
  elsewhere.repent();
  time = Date.now();
});
after(async () => {
  await hostile.close();
  await elsewhere.close();
  rmSync(directory, { recursive: true, force: true });
});

function provider(of: HostileProvider = hostile, id = 'corp'): Provider {
  const config = of.config(id, join(directory, 'ca.pem'), join(directory, 'secret'));
  return new Provider(config, CALLBACK, () => time);
}

/** One sign-in to its end; `change` spoils the callback. */
async function signIn(
  at: Provider = provider(),
  change: (callback: URL) => void = () => {},
): Promise<Claims> {
  const { url, state, nonce, verifier } = await at.begin();
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
  hostile.nonce = nonce;
  hostile.challenge = url.searchParams.get('code_challenge') ?? '';
  const callback = new URL(CALLBACK);
  callback.searchParams.set('code', 'a-code');
  callback.searchParams.set('state', state);
  change(callback);
  return at.finish(callback, { state, nonce, verifier });
}

async function refused(code: LoginError['code'], change?: (callback: URL) => void): Promise<void> {
  await assert.rejects(signIn(provider(), change), (error: unknown) => {
    assert.ok(error instanceof LoginError, String(error));
    assert.equal(error.code, code, String(error.cause));
    // What people are shown holds nothing of the protocol.
    assert.doesNotMatch(error.message, /a-code|access|eyJ|secret/);
    return true;
  });
}

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
    const store = openEmbeddedStore(join(directory, 'state'), () => time);
    try {
      const providers = new Map([
        ['corp', provider()],
        ['evil', provider(elsewhere, 'evil')],
      ]);
      const sessions = { start: () => assert.fail('a session was made') } as unknown as Sessions;
      const flow = new SignIn(providers, store as EmbeddedStore, sessions, () => time);
      const browser = newSecret();
      const at = new URL(await flow.begin({ provider: 'corp', browser }));
      const state = at.searchParams.get('state') ?? '';
      const callback = new URL(
        `https://access.example.com/callback/evil?${new URLSearchParams({ code: 'x', state })}`,
      );
      await assert.rejects(flow.finish('evil', callback, browser, '192.0.2.1', undefined), {
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
    time += 31_000;
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

describe('who it says it is', () => {
  test('userinfo of somebody else', async () => {
    hostile.userinfo = { sub: 'root' };
    await refused('token-invalid');
  });
  test('userinfo cannot replace what the ID token says', async () => {
    hostile.userinfo = { iss: elsewhere.issuer, groups: ['admins'], amr: ['mfa'] };
    const claims = await signIn();
    assert.equal(claims['iss'], hostile.issuer);
    assert.deepEqual(claims['groups'], ['staff']);
  });
  test('groups that are elsewhere, in either answer, are a refusal and not no groups', async () => {
    const { config } = provider();
    hostile.claims = {
      groups: undefined,
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: elsewhere.issuer } },
    };
    const inToken = await signIn();
    assert.throws(
      () => subjectOf(inToken, config),
      (error) => error instanceof ClaimsError && error.code === 'groups-overage',
    );
    hostile.claims = { groups: undefined };
    hostile.userinfo = { _claim_names: { groups: 'src1' } };
    const inUserInfo = await signIn();
    assert.throws(() => subjectOf(inUserInfo, config), { code: 'groups-overage' });
    assert.deepEqual(elsewhere.asked, []);
  });
  test('an address that is not verified, or not plain, does not count', async () => {
    const { config } = provider();
    for (const [email, email_verified] of [
      ['ada@example.com', false],
      ['ada@example.com', 'true'],
      ['ada@example.com', undefined],
      ['ada@evil@example.com', true],
      ['"a@evil"@example.com', true],
      ['ada@example.com\u0000', true],
      ['ada@еxample.com', true],
    ] as const) {
      hostile.claims = { email, email_verified };
      assert.equal(subjectOf(await signIn(), config).email, undefined, email);
    }
  });
  test('names of ours as claims change nothing', async () => {
    hostile.idToken = (claims) =>
      hostile.sign(
        JSON.parse(
          JSON.stringify(claims).replace('{', '{"__proto__":{"groups":["admins"]},"constructor":{"x":1},'),
        ),
        {},
        hostile.keys[0] as Key,
      );
    const subject = subjectOf(await signIn(), provider().config);
    assert.deepEqual(subject.groups, ['corp:staff']);
    assert.equal(({} as { groups?: unknown }).groups, undefined);
  });
});

describe('answers that cost', () => {
  const MIB = 1 << 20;
  const trickle = (response: ServerResponse): true => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.write('{');
    const timer = setInterval(() => response.write(' '), 200);
    response.on('close', () => clearInterval(timer));
    return true;
  };
  /** How each part of a sign-in fails when its answer cannot be had. */
  const parts = [
    ['discovery', 'provider-unreachable'],
    ['token', 'provider-unreachable'],
    ['jwks', 'provider-unreachable'],
    ['userinfo', 'provider-unreachable'],
  ] as const;

  test('none at all, and one that trickles: over after seconds', async () => {
    await Promise.all(
      parts.flatMap(([route, code]) =>
        [trickle, () => true as const].map(async (misdeed) => {
          const slow = await HostileProvider.start(await certificate());
          try {
            slow.misdeeds[route] = misdeed;
            const at = provider(slow);
            const attempt = at.begin().then(({ url, state, nonce, verifier }) => {
              [slow.nonce, slow.challenge] = [nonce, url.searchParams.get('code_challenge') ?? ''];
              const callback = new URL(`${CALLBACK}?${new URLSearchParams({ code: 'x', state })}`);
              return at.finish(callback, { state, nonce, verifier });
            });
            await assert.rejects(attempt, { code });
          } finally {
            await slow.close();
          }
        }),
      ),
    );
  });
  for (const [route, code] of parts) {
    test(`${route}: huge, with and without saying so; compressed; sent elsewhere; no JSON; nested without end`, async () => {
      const send =
        (headers: Record<string, string | number>, body: Buffer | string, status = 200) =>
        (response: ServerResponse) => {
          response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
          response.end(body);
          return true as const;
        };
      const huge = JSON.stringify({ filler: 'x'.repeat(3 * MIB) });
      const misdeeds = [
        ['huge', send({ 'Content-Length': huge.length }, huge)],
        ['huge in chunks', send({}, huge)],
        ['a gzip bomb', send({ 'Content-Encoding': 'gzip' }, gzipSync(Buffer.alloc(64 * MIB)))],
        ['brotli', send({ 'Content-Encoding': 'br' }, randomBytes(2000))],
        [
          'a chain of encodings',
          send({ 'Content-Encoding': 'gzip, gzip, identity' }, gzipSync(gzipSync('{}'))),
        ],
        ['elsewhere', send({ Location: `${elsewhere.issuer}/token` }, '', 302)],
        ['elsewhere with the body', send({ Location: `${elsewhere.issuer}/token` }, '', 307)],
        ['elsewhere by name', send({ Location: 'http://169.254.169.254/latest/meta-data' }, '', 308)],
        ['no JSON', send({ 'Content-Type': 'text/html' }, '<html>')],
        ['half of it', send({}, '{"issuer":')],
        ['nested', send({}, '['.repeat(MIB - 10))],
        ['a number', send({}, '7')],
        ['an error of its own', send({}, '{"error":"server_error"}', 500)],
      ] as const;
      for (const [what, misdeed] of misdeeds) {
        hostile.repent();
        hostile.misdeeds[route] = misdeed;
        await assert.rejects(signIn(), (error: unknown) => {
          assert.ok(error instanceof LoginError, `${what}: ${error}`);
          assert.ok(
            [code, 'token-invalid', 'provider-refused'].includes(error.code),
            `${what}: ${error.code}`,
          );
          return true;
        });
        assert.deepEqual(elsewhere.asked, [], what);
      }
    });
  }
  test('a sign-in given up in the middle of it all leaves nothing behind', async () => {
    hostile.misdeeds.token = async (response) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      response.destroy();
      return true;
    };
    const at = provider();
    const many = await Promise.allSettled(Array.from({ length: 20 }, () => signIn(at)));
    assert.ok(many.every(({ status }) => status === 'rejected'));
    hostile.repent();
    assert.equal((await signIn(at))['sub'], 'ada');
  });
});

async function certificate(): Promise<{ cert: string; key: string }> {
  return issueCertificate(await openAuthority(join(directory, 'ca'), 'Test', Date.now), ['localhost']);
}
