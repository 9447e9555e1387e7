// Tokens of services: whose they are, and what keeps one issuer from speaking for another's services.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type ServiceTokenFailure, ServiceTokens, type TokenIssuer } from '#gateway/identity/service-tokens';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const SECONDS = NOW / 1000;
const CLUSTER = 'https://kubernetes.example';
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let tokens: ServiceTokens;

before(async () => {
  keys = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' };
  const set = createLocalJWKSet({ keys: [jwk] });
  const base = {
    audiences: ['sallyport'],
    algorithms: ['RS256'],
    require: {},
    subject: '{sub}',
    maxLife: 3_600_000,
    keys: set,
  };
  const issuers: TokenIssuer[] = [
    {
      ...base,
      name: 'k8s',
      issuer: CLUSTER,
      require: { '/kubernetes.io/namespace': 'shop' },
      subject: '{/kubernetes.io/namespace}/{/kubernetes.io/serviceaccount/name}',
    },
    { ...base, name: 'spire', issuer: 'https://spire.example', trustDomain: 'prod.example' },
    { ...base, name: 'ci', issuer: 'https://ci.example' },
  ];
  tokens = new ServiceTokens(issuers, () => NOW);
});

const ACCOUNT: JWTPayload = {
  iss: CLUSTER,
  aud: 'sallyport',
  sub: 'system:serviceaccount:shop:cart',
  iat: SECONDS,
  exp: SECONDS + 600,
  'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'cart' } },
};

function sign(changed: JWTPayload, header: object = {}, key = keys.privateKey): Promise<string> {
  return new SignJWT({ ...ACCOUNT, ...changed })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header })
    .sign(key);
}

test('a Kubernetes service account is named by its claims, below its issuer’s name', async () => {
  const { subject, issuer, notAfter } = await tokens.verify(await sign({}));
  assert.deepEqual([subject, issuer, notAfter], ['k8s:shop/cart', 'k8s', NOW + 600_000]);
});

test('a JWT-SVID is its SPIFFE id', async () => {
  const token = await sign({ iss: 'https://spire.example', sub: 'spiffe://prod.example/api' });
  assert.equal((await tokens.verify(token)).subject, 'spiffe://prod.example/api');
});

test('an issuer that may name no SPIFFE id cannot be taken for one that may', async () => {
  const token = await sign({ iss: 'https://ci.example', sub: 'spiffe://prod.example/api' });
  assert.equal((await tokens.verify(token)).subject, 'ci:spiffe://prod.example/api');
});

describe('a token is refused', () => {
  const unsigned = (header: object): string => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part(header)}.${part(ACCOUNT)}.AAAA`;
  };
  const other = generateKeyPair('RS256');
  const cases: readonly [string, ServiceTokenFailure, () => string | Promise<string>][] = [
    ['nonsense', 'token-malformed', () => 'x'],
    ['megabytes', 'token-malformed', () => 'x'.repeat(1 << 20)],
    ['of an unknown issuer', 'token-issuer', () => sign({ iss: 'https://evil.example' })],
    ['without issuer', 'token-issuer', () => sign({ iss: undefined as never })],
    ['signed by another key', 'token-signature', async () => sign({}, {}, (await other).privateKey)],
    ['of an unknown key', 'token-key', () => sign({}, { kid: 'k2' })],
    ['with alg none', 'token-signature', () => unsigned({ alg: 'none' })],
    ['with the public key as a secret', 'token-signature', () => unsigned({ alg: 'HS256', kid: 'k1' })],
    ['for another audience', 'token-audience', () => sign({ aud: 'vault' })],
    ['for nobody', 'token-audience', () => sign({ aud: undefined as never })],
    ['that has expired', 'token-time', () => sign({ iat: SECONDS - 900, exp: SECONDS - 300 })],
    ['that expires now', 'token-time', () => sign({ exp: SECONDS })],
    ['from the future', 'token-time', () => sign({ iat: SECONDS + 60 })],
    ['that is not valid yet', 'token-time', () => sign({ nbf: SECONDS + 60 })],
    ['that lives for days', 'token-life', () => sign({ exp: SECONDS + 86_400 })],
    ['without end', 'token-claims', () => sign({ exp: undefined as never })],
    ['of another namespace', 'token-claims', () => sign({ 'kubernetes.io': { namespace: 'bank' } })],
    ['without a claim of its name', 'token-subject', () => sign({ 'kubernetes.io': { namespace: 'shop' } })],
    [
      'that would be a pattern in a policy',
      'token-subject',
      () => sign({ 'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'c*' } } }),
    ],
    [
      'with an id of another trust domain',
      'token-subject',
      () => sign({ iss: 'https://spire.example', sub: 'spiffe://bank.example/api' }),
    ],
    ['with an id that is none', 'token-subject', () => sign({ iss: 'https://spire.example', sub: 'api' })],
  ];
  for (const [what, code, token] of cases) {
    test(`${what}: ${code}`, async () => {
      const text = await token();
      await assert.rejects(tokens.verify(text), (error: Error & { code?: string }) => {
        assert.equal(error.code, code);
        assert.ok(!error.message.includes(text.slice(-30)) || text.length < 30);
        return true;
      });
    });
  }
});
