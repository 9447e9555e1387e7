// Bundles of trust domains: both formats, from a file and from an address, and what is believed when they change.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { TrustDomains } from '#gateway/identity/svid';
import { FollowedBundle, readBundle } from '#gateway/identity/trust-bundle';
import { until } from '#test/story/part';
import { authority, CLIENT, certify, derOf, type Holder, newKeys, pemOf } from './service-certificates.ts';

const now = Date.now();
const log = pino({ level: 'silent' });
const [old, fresh] = [await authority('Old', now), await authority('New', now)];
const key = (holder: Holder): object => ({
  use: 'x509-svid',
  kty: 'EC',
  x5c: [derOf(holder).toString('base64')],
});
const spiffe = (holders: readonly Holder[], more: object = {}): string =>
  JSON.stringify({
    spiffe_sequence: 1,
    keys: [...holders.map(key), { use: 'jwt-svid', kty: 'EC' }],
    ...more,
  });

test('PEM, and the format of SPIFFE with its hint, within bounds', () => {
  const ders = [old, fresh].map(derOf);
  assert.deepEqual(readBundle(pemOf(old) + pemOf(fresh), 'a').authorities, ders);
  assert.deepEqual(readBundle(spiffe([old, fresh]), 'a').authorities, ders);
  for (const [hint, refresh] of [
    [60, 60_000],
    [1, 30_000],
    [1e9, 3_600_000],
    ['soon', 300_000],
    [undefined, 300_000],
  ] as const) {
    assert.equal(
      readBundle(spiffe([old], { spiffe_refresh_hint: hint }), 'a').refresh,
      refresh,
      String(hint),
    );
  }
});

for (const [what, text, says] of [
  ['nothing', '', /a holds 0 certificates/],
  ['no JSON', '{', /neither PEM nor a SPIFFE bundle/],
  ['no keys', '{"keys":{}}', /it has no "keys"/],
  ['keys for tokens only', spiffe([]), /holds 0 certificates/],
  [
    'two certificates in one key',
    JSON.stringify({ keys: [{ use: 'x509-svid', x5c: ['a', 'b'] }] }),
    /exactly one certificate/,
  ],
  [
    'a certificate that is none',
    JSON.stringify({ keys: [{ use: 'x509-svid', x5c: ['AAAA'] }] }),
    /cannot be read/,
  ],
  ['hundreds', pemOf(old).repeat(65), /holds 65 certificates/],
] as const) {
  test(`refused: ${what}`, () =>
    assert.throws(() => readBundle(text, 'a'), { code: 'bundle-unreadable', message: says }));
}

test('a file that changes: the new authorities from then on, and a chain that was verified is asked of them', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const source = join(directory, 'bundle');
  const domains = new TrustDomains([{ name: 'prod.example', bundle: [], below: '/' }]);
  const onChange = (found: readonly Buffer[]): void => domains.replace('prod.example', found);
  const options = { source, log, get: () => Promise.reject(new Error()), onChange };
  assert.throws(() => new FollowedBundle(options), { code: 'bundle-unreadable', message: /ENOENT/ });
  writeFileSync(source, pemOf(old));
  const followed = new FollowedBundle(options);
  t.after(() => followed.stop());
  const uris = ['spiffe://prod.example/api'];
  const shown = [derOf(await certify('api', await newKeys(), old, { uris, purposes: [CLIENT] }, now))];
  const svid = domains.verify(shown, now);
  assert.ok(domains.stands(svid));
  let at = now / 1000 + 10;
  const change = (text: string): void => {
    writeFileSync(source, text);
    at += 1;
    utimesSync(source, at, at);
    followed.look();
  };
  change('{');
  assert.ok(domains.stands(svid), 'what cannot be read changes nothing');
  const leaf = await certify('leaf', await newKeys(), old, { uris, ca: false }, now);
  change(pemOf(leaf));
  assert.ok(domains.stands(svid), 'nor what is no authority');
  change(spiffe([fresh]));
  assert.ok(!domains.stands(svid));
  assert.throws(() => domains.verify(shown, now), { code: 'certificate-chain' });
  change(spiffe([fresh, old]));
  assert.equal(domains.verify(shown, now).id, uris[0]);
});

test('a file that could not be read is looked at again, though it has not changed since', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const source = join(directory, 'bundle');
  const found: number[] = [];
  const onChange = (authorities: readonly Buffer[]): void => void found.push(authorities.length);
  writeFileSync(source, pemOf(old));
  const followed = new FollowedBundle({ source, log, get: () => Promise.reject(new Error()), onChange });
  t.after(() => followed.stop());
  const at = now / 1000 + 10;
  rmSync(source);
  mkdirSync(source);
  utimesSync(source, at, at);
  followed.look();
  rmSync(source, { recursive: true });
  writeFileSync(source, pemOf(old) + pemOf(fresh));
  utimesSync(source, at, at);
  followed.look();
  assert.deepEqual(found, [1, 2]);
});

test('a pipe in the place of a file is not waited for', { timeout: 20_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const source = join(directory, 'bundle');
  execFileSync('mkfifo', [source]);
  const program = `
    import { FollowedBundle } from '#gateway/identity/trust-bundle';
    new FollowedBundle({ source: process.argv[1], log: {}, get: () => {}, onChange: () => {} });`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program, source], {
    timeout: 15_000,
  });
  assert.match(String(run.stderr), /is not a regular file|no regular file/);
});

test('an address: nobody is vouched for before the first answer, and a failure leaves what there was', async (t) => {
  const found: number[] = [];
  const answers = [pemOf(old), undefined];
  const asked: string[] = [];
  const followed = new FollowedBundle({
    ...{ source: 'https://spire.example/bundle', log },
    get: (url) => {
      asked.push(url);
      const text = answers.shift();
      return text === undefined ? Promise.reject(new Error('no route')) : Promise.resolve(text);
    },
    onChange: (authorities) => void found.push(authorities.length),
  });
  t.after(() => followed.stop());
  assert.deepEqual(found, []);
  await until('the first answer', () => found.length === 1);
  assert.deepEqual([found, asked], [[1], ['https://spire.example/bundle']]);
});
