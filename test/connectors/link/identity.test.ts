// Tokens and the state directory: what is refused before anything is sent or overwritten.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renewalTime } from '#connectors/link/enrol';
import { type Identity, loadIdentity, StateError, saveIdentity } from '#connectors/link/identity';
import { KeptIdentity } from '#connectors/link/kept-identity';
import { type EnrolError, readToken } from '#connectors/link/token';
import { openAuthority } from '#gateway/pki/authority';

const NOW = 1_800_000_000_000;
const claims = { v: 1, name: 'one', ca: 'ab'.repeat(32), exp: NOW / 1000 + 60, secret: 'x'.repeat(43) };
const tokenOf = (change: object): string =>
  `sallyport-enrol.${Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url')}`;

test('a token is read with the space an editor leaves around it', () => {
  assert.deepEqual(readToken(` ${tokenOf({})}\n`, NOW), {
    text: tokenOf({}),
    name: 'one',
    ca: claims.ca,
    expires: NOW + 60_000,
  });
});

test('what is no token, or no longer one, is refused without repeating it', () => {
  const bad = ['', 'x', 'sallyport-enrol.', 'sallyport-enrol.AAAA', `${tokenOf({})}${'A'.repeat(5000)}`];
  for (const text of [
    ...bad,
    tokenOf({ v: 2 }),
    tokenOf({ ca: 'AB' }),
    tokenOf({ name: 7 }),
    tokenOf({ exp: 'soon' }),
  ]) {
    assert.throws(
      () => readToken(text, NOW),
      (error: EnrolError) =>
        error.code === 'token-malformed' && (text === '' || !error.message.includes(text)),
    );
  }
  assert.throws(() => readToken('sallyport-enrol.bnVsbA', NOW), { code: 'token-malformed' });
  assert.throws(() => readToken(tokenOf({ exp: NOW / 1000 }), NOW), {
    code: 'token-expired',
    message: /clock says/,
  });
});

test('an identity is kept whole, for its owner only, and refused when others could read it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const state = join(directory, 'deep', 'state');
  assert.equal(loadIdentity(state), undefined);
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const { certificate, key } = await authority.issueServer(['localhost'], 3_600_000);
  const identity = { key, certificate, ca: authority.certificate, notBefore: 0, notAfter: 0 };
  saveIdentity(state, identity);
  saveIdentity(state, { ...identity, ca: '' });
  assert.throws(() => loadIdentity(state), /ca\.pem does not hold the gateway’s authority/);
  saveIdentity(state, identity);
  const found = loadIdentity(state) as Identity;
  assert.equal(found.key.trim(), key.trim());
  assert.equal(found.certificate.trim(), certificate.trim());
  assert.ok(found.notAfter > found.notBefore);
  assert.deepEqual(readdirSync(state).sort(), ['ca.pem', 'identity.pem']);
  for (const [path, mode] of [
    [join(state, 'identity.pem'), 0o640],
    [state, 0o755],
  ] as const) {
    const before = statSync(path).mode & 0o777;
    chmodSync(path, mode);
    assert.throws(() => loadIdentity(state), { code: 'loose-mode' });
    chmodSync(path, before);
  }
  writeFileSync(join(state, 'identity.pem'), 'half a file', { mode: 0o600 });
  assert.throws(() => loadIdentity(state), StateError);
  const loose = join(directory, 'loose');
  mkdirSync(loose, { mode: 0o777 });
  chmodSync(loose, 0o777);
  assert.throws(() => saveIdentity(loose, identity), { code: 'loose-mode' });
  assert.deepEqual(readdirSync(loose), [], 'nothing was written where others could read it');
});

test('renewal is due after two thirds of the life', () => {
  const identity = { key: '', certificate: '', ca: '', notBefore: 1000, notAfter: 4000 };
  assert.equal(renewalTime(identity), 3000);
});

test('an identity that cannot be kept, as on a full disk, ends nothing and is kept when it can be', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const { certificate, key } = await authority.issueServer(['localhost'], 3_600_000);
  const state = join(directory, 'state');
  writeFileSync(state, 'something else is here');
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const kept = new KeptIdentity(state, { info: say, warn: say, error: say });
  kept.keep({ key, certificate, ca: authority.certificate, notBefore: 0, notAfter: 0 });
  t.mock.timers.tick(60_000);
  assert.equal(said.length, 1, said.join());
  assert.match(said[0] ?? '', /^the renewed certificate is used, but could not be kept: .*EEXIST/);
  rmSync(state);
  t.mock.timers.tick(60_000);
  assert.equal(loadIdentity(state)?.certificate.trim(), certificate.trim());
  assert.deepEqual(said.slice(1), ['the renewed certificate is kept now']);
});
