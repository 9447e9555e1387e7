// What a provider may answer: people who are somebody else, and replies that cost time or memory. The end is a refusal
// with a code, within seconds and a mebibyte.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Claims, ClaimsError, subjectOf } from '#gateway/identity/claims';
import { LoginError, type Provider } from '#gateway/identity/providers';
import { Attempts } from './attempt.ts';
import type { HostileProvider, Key } from './hostile.ts';

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
          const slow = await attempts.another();
          try {
            slow.misdeeds[route] = misdeed;
            const at = provider(slow);
            await assert.rejects(
              signIn(at, () => {}, slow),
              { code },
            );
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
