// Every kind of service certificate against every kind of fault: one that is good in all ways is accepted, and no other.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { SvidError, type SvidFailure, TrustDomains } from '#gateway/identity/svid';
import { requires } from '#test/requires';
import {
  authority,
  CLIENT,
  certify,
  derOf,
  HOUR,
  type Holder,
  newKeys,
  pemOf,
  SERVER,
  USAGE,
  type Wanted,
} from './service-certificates.ts';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const ID = 'spiffe://prod.example/api';

/** How a chain is made: who signs the leaf, and what is shown beside it. */
interface Chain {
  readonly issuer: Holder | undefined;
  readonly beside: readonly Holder[];
}

let root: Holder;
let chains: Readonly<Record<string, Chain>>;
let domains: TrustDomains;

/** A value of one part of a certificate, and what is wrong with it, if anything. */
type Choice<T> = readonly [what: string, value: T, wrong?: SvidFailure];

const NAMES: readonly Choice<readonly string[]>[] = [
  ['one SPIFFE id', [ID]],
  ['two', [ID, 'spiffe://prod.example/other'], 'certificate-names'],
  ['none', [], 'certificate-names'],
  ['of an unknown trust domain', ['spiffe://elsewhere.example/api'], 'certificate-trust-domain'],
  ['with NUL', [`${ID}\0.evil`], 'certificate-names'],
  ['without a path', ['spiffe://prod.example'], 'certificate-names'],
  ['with dots', ['spiffe://prod.example/a/../api'], 'certificate-names'],
  ['of another scheme', ['https://prod.example/api'], 'certificate-names'],
];
const PURPOSES: readonly Choice<readonly string[] | undefined>[] = [
  ['clientAuth', [CLIENT]],
  ['both', [SERVER, CLIENT]],
  ['none said', undefined],
  ['serverAuth', [SERVER], 'certificate-purpose'],
];
const CA_FLAGS: readonly Choice<boolean | undefined>[] = [
  ['no CA', false],
  ['CA not said', undefined],
  ['a CA', true, 'certificate-is-ca'],
];
const TIMES: readonly Choice<Pick<Wanted, 'from' | 'to'>>[] = [
  ['in time', {}],
  ['expired', { to: NOW - 1000 }, 'certificate-time'],
  ['not yet valid', { from: NOW + 1000 }, 'certificate-time'],
];
const CHAINS: readonly Choice<string>[] = [
  ['by the root', 'root'],
  ['by an intermediate', 'intermediate'],
  ['by an intermediate that is not shown', 'missing', 'certificate-chain'],
  ['by another domain’s root', 'foreign', 'certificate-chain'],
  ['by a leaf', 'leaf', 'certificate-chain'],
  ['by itself', 'self', 'certificate-chain'],
  ['by an expired intermediate', 'expired', 'certificate-chain'],
  ['by an intermediate for servers', 'servers', 'certificate-chain'],
];

before(async () => {
  root = await authority('Prod root', NOW);
  const intermediate = await authority('Prod issuing', NOW, root, { pathLength: 0 });
  const foreign = await authority('Test root', NOW);
  const leaf = await certify('leaf', await newKeys(), root, { uris: [ID], ca: false }, NOW);
  const expired = await authority('Prod old', NOW, root, { to: NOW - 1000 });
  const servers = await authority('Prod servers', NOW, root, { purposes: [SERVER] });
  chains = {
    root: { issuer: root, beside: [] },
    intermediate: { issuer: intermediate, beside: [intermediate] },
    missing: { issuer: intermediate, beside: [] },
    foreign: { issuer: foreign, beside: [foreign] },
    leaf: { issuer: leaf, beside: [leaf] },
    self: { issuer: undefined, beside: [] },
    expired: { issuer: expired, beside: [expired] },
    servers: { issuer: servers, beside: [servers] },
  };
  domains = new TrustDomains([
    { name: 'prod.example', bundle: [derOf(root)], below: '/' },
    { name: 'test.example', bundle: [derOf(foreign)], below: '/' },
  ]);
});

/** The code it is refused with, or `accepted`. */
function verdict(shown: readonly Buffer[], by: TrustDomains = domains): string {
  try {
    assert.equal(by.verify(shown, NOW).id, ID);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof SvidError)) throw error;
    return error.code;
  }
}

test('the certificate matrix: names x purposes x CA flag x chain x time', async (t) => {
  const keys = await newKeys();
  let accepted = 0;
  let refused = 0;
  for (const [chainName, chainKey, chainWrong] of CHAINS) {
    const { issuer, beside } = chains[chainKey] as Chain;
    for (const [name, uris, nameWrong] of NAMES) {
      for (const [purpose, purposes, purposeWrong] of PURPOSES) {
        for (const [flag, ca, caWrong] of CA_FLAGS) {
          for (const [time, times, timeWrong] of TIMES) {
            const leaf = await certify('api', keys, issuer, { uris, purposes, ca, ...times }, NOW);
            const got = verdict([leaf, ...beside].map(derOf));
            const wrong = [nameWrong, caWrong, purposeWrong, timeWrong, chainWrong].find(Boolean);
            assert.equal(got, wrong ?? 'accepted', `${name}, ${purpose}, ${flag}, ${chainName}, ${time}`);
            if (got === 'accepted') accepted += 1;
            else refused += 1;
          }
        }
      }
    }
  }
  assert.ok(accepted > 0);
  t.diagnostic(`certificate matrix: ${accepted} accepted, ${refused} refused, ${accepted + refused} total`);
});

describe('a certificate is refused', () => {
  const leafOf = async (wanted: Wanted): Promise<Buffer> =>
    derOf(await certify('api', await newKeys(), root, { uris: [ID], ...wanted }, NOW));

  test('whose key is not for digital signatures, or signs certificates', async () => {
    assert.equal(verdict([await leafOf({ usage: USAGE.keyEncipherment })]), 'certificate-usage');
    assert.equal(
      verdict([await leafOf({ usage: USAGE.digitalSignature | USAGE.keyCertSign })]),
      'certificate-usage',
    );
  });

  test('that was changed after it was signed, cut short, or is none', async () => {
    const der = await leafOf({});
    const changed = Buffer.from(der);
    const last = changed.length - 1;
    changed[last] = (changed[last] ?? 0) ^ 1;
    assert.equal(verdict([changed]), 'certificate-chain');
    assert.equal(verdict([der.subarray(0, -1)]), 'certificate-malformed');
    assert.equal(verdict([Buffer.from('x')]), 'certificate-malformed');
    assert.equal(verdict([]), 'certificate-malformed');
  });

  test('below a CA that may have no CA below it, or beside too many others', async () => {
    const first = await authority('First', NOW, root, { pathLength: 0 });
    const second = await authority('Second', NOW, first);
    const leaf = await certify('api', await newKeys(), second, { uris: [ID] }, NOW);
    assert.equal(verdict([leaf, second, first].map(derOf)), 'certificate-chain');
    assert.equal(verdict(Array(20).fill(derOf(leaf))), 'certificate-chain');
  });

  test('that our own authority made for something else than a service', () => {
    const ours = new TrustDomains([{ name: 'prod.example', bundle: [derOf(root)], below: '/service/' }]);
    return leafOf({}).then((der) => assert.equal(verdict([der], ours), 'certificate-trust-domain'));
  });

  test('in a loop of CAs, without looking for ever', async () => {
    const a = await authority('A', NOW);
    const b = await authority('B', NOW, a);
    const again = await certify('A', a.keys, b, { ca: true, usage: USAGE.keyCertSign }, NOW);
    const leaf = await certify('api', await newKeys(), a, { uris: [ID] }, NOW);
    assert.equal(verdict([leaf, again, b, a].map(derOf)), 'certificate-chain');
  });
});

test('CAs that all vouch for each other cost no more than each of them once beside each other', async (t) => {
  const keys = await newKeys();
  const named = await certify('Ring', keys, undefined, {}, NOW);
  const ca = { ca: true, usage: USAGE.keyCertSign };
  const ring = await Promise.all(Array.from({ length: 7 }, () => certify('Ring', keys, named, ca, NOW)));
  const leaf = await certify('leaf', await newKeys(), named, { uris: [ID], purposes: [CLIENT] }, NOW);
  const verify = t.mock.method(crypto, 'verify');
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.throws(() => domains.verify([leaf, ...ring].map(derOf), NOW), { code: 'certificate-chain' });
  assert.ok(verify.mock.callCount() >= 7, 'it was looked at');
  assert.ok(verify.mock.callCount() <= 8 * 7, `${verify.mock.callCount()} signatures`);
});

test('the earliest end of the chain is when it ends', async () => {
  const short = await authority('Short', NOW, root, { to: NOW + 60_000 });
  const leaf = await certify('api', await newKeys(), short, { uris: [ID], to: NOW + HOUR }, NOW);
  assert.equal(domains.verify([leaf, short].map(derOf), NOW).notAfter, NOW + 60_000);
});

test('openssl finds the same chains good', { skip: requires('openssl') }, async () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-svid-'));
  try {
    writeFileSync(join(place, 'root.pem'), pemOf(root));
    for (const [what, key, wrong] of CHAINS) {
      const { issuer, beside } = chains[key] as Chain;
      const leaf = await certify(
        'api',
        await newKeys(),
        issuer,
        { uris: [ID], purposes: [CLIENT], ca: false },
        NOW,
      );
      writeFileSync(join(place, 'leaf.pem'), pemOf(leaf));
      writeFileSync(join(place, 'beside.pem'), beside.map(pemOf).join('') || pemOf(leaf));
      const words = ['-attime', String(NOW / 1000), '-purpose', 'sslclient', '-CAfile', 'root.pem'];
      const verify = (): string =>
        execFileSync('openssl', ['verify', ...words, '-untrusted', 'beside.pem', 'leaf.pem'], {
          cwd: place,
          encoding: 'utf8',
          stdio: 'pipe',
        });
      if (wrong === undefined) assert.match(verify(), /OK/, what);
      else assert.throws(verify, what);
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
