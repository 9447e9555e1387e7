// Proofs of possession: what shows a key for this very request and once, and everything that only looks like it.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ProofError, Proofs } from '#gateway/identity/dpop';
import { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR, Terminals } from '#gateway/identity/terminal';
import { openEmbeddedStore } from '#gateway/state/embedded';

const NOW = Date.UTC(2026, 5, 1);
const URL = 'https://access.example.com/connect/shell';
const TOKEN = 'A'.repeat(43);
const directory = mkdtempSync(join(tmpdir(), 'sallyport-dpop-'));
const store = openEmbeddedStore(join(directory, 'state'), () => NOW);
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

type Keys = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
const keys: Keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others: Keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let proofs = 0;

interface Made {
  readonly header?: object;
  readonly claims?: object;
  readonly signer?: KeyObject;
}

function proof({ header, claims, signer = keys.privateKey }: Made = {}): string {
  proofs += 1;
  const ath = createHash('sha256').update(TOKEN).digest('base64url');
  const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url');
  const content = [
    part({ typ: 'dpop+jwt', alg: 'ES256', jwk: keys.publicKey.export({ format: 'jwk' }), ...header }),
    part({ jti: `proof-${proofs}`, htm: 'GET', htu: URL, iat: NOW / 1000, ath, ...claims }),
  ].join('.');
  const signature = sign('sha256', Buffer.from(content), { key: signer, dsaEncoding: 'ieee-p1363' });
  return `${content}.${signature.toString('base64url')}`;
}

const request = { method: 'GET', url: URL, token: TOKEN };
const code = (expected: string) => (error: Error) => error instanceof ProofError && error.code === expected;

describe('a DPoP proof', () => {
  const spend = (made: string | undefined): Promise<string> =>
    new Proofs(store, () => NOW).spend(made, request);

  test('names its key, whoever asks', async () => {
    const key = await spend(proof());
    const { crv, kty, x, y } = keys.publicKey.export({ format: 'jwk' });
    const members = JSON.stringify({ crv, kty, x, y });
    assert.equal(key, createHash('sha256').update(members).digest('base64url'));
  });

  test('is taken once, of fifty at the same time too', async () => {
    const one = proof();
    const taken = await Promise.allSettled(Array.from({ length: 50 }, () => spend(one)));
    assert.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1);
    await assert.rejects(spend(one), code('proof-replayed'));
  });

  const refused: readonly (readonly [why: string, made: Made | string | undefined, expected: string])[] = [
    ['is missing', undefined, 'proof-missing'],
    ['is no token at all', 'proof', 'proof-invalid'],
    ['is too large', 'a'.repeat(5000), 'proof-invalid'],
    ['is for another method', { claims: { htm: 'POST' } }, 'proof-invalid'],
    ['is for another address', { claims: { htu: `${URL}x` } }, 'proof-invalid'],
    ['is for another token', { claims: { ath: 'x' } }, 'proof-invalid'],
    ['has no id', { claims: { jti: undefined } }, 'proof-invalid'],
    ['has an endless id', { claims: { jti: 'x'.repeat(200) } }, 'proof-invalid'],
    ['is old', { claims: { iat: NOW / 1000 - 61 } }, 'proof-late'],
    ['is from the future', { claims: { iat: NOW / 1000 + 61 } }, 'proof-late'],
    ['has no time', { claims: { iat: undefined } }, 'proof-invalid'],
    ['is of another type', { header: { typ: 'JWT' } }, 'proof-invalid'],
    ['is not signed', { header: { alg: 'none' } }, 'proof-invalid'],
    ['is signed with a shared secret', { header: { alg: 'HS256' } }, 'proof-invalid'],
    ['carries no key', { header: { jwk: undefined } }, 'proof-invalid'],
    [
      'carries a private key',
      { header: { jwk: keys.privateKey.export({ format: 'jwk' }) } },
      'proof-invalid',
    ],
    ['is signed by another key than it carries', { signer: others.privateKey }, 'proof-invalid'],
  ];
  for (const [why, made, expected] of refused) {
    test(`that ${why} is refused: ${expected}`, async () => {
      await assert.rejects(spend(typeof made === 'object' ? proof(made) : made), code(expected));
    });
  }
});

describe('a terminal', () => {
  const limits = { idle: 3_600_000, absolute: 36_000_000 };
  const sessions = new Sessions(
    store,
    limits,
    () => NOW,
    async () => undefined,
  );
  const terminals = new Terminals(sessions, new Proofs(store, () => NOW));
  const subject = { kind: 'user', id: 'idp#ada', groups: [], roles: [] } as const;

  async function signedIn(): Promise<{ token: string; session: Awaited<ReturnType<Sessions['start']>> }> {
    const session = await sessions.start(subject, { provider: 'idp', at: NOW }, '192.0.2.1');
    return { token: (await sessions.openDoor(session, CLI_DOOR)).value, session };
  }
  const proofFor = (token: string, made: Made = {}): string =>
    proof({ ...made, claims: { ath: createHash('sha256').update(token).digest('base64url') } });
  const ask = (token: string, scheme: string, sent?: string) =>
    terminals.find({ authorization: `${scheme} ${token}`, proof: sent, method: 'GET', url: URL });

  test('without a device gets in by its token', async () => {
    const { token, session } = await signedIn();
    assert.equal((await ask(token, 'Bearer'))?.session.id, session.id);
    assert.equal((await ask(token, 'DPoP', proofFor(token)))?.session.id, session.id);
    for (const header of ['', 'Basic x', `bearer ${token}`, `Bearer ${token}x`]) {
      const wish = { authorization: header, proof: undefined, method: 'GET', url: URL };
      assert.equal(await terminals.find(wish), undefined, header);
    }
    assert.equal(await ask('B'.repeat(43), 'Bearer'), undefined);
  });

  test('that is bound to a device needs proofs by that device’s key', async () => {
    const { token, session } = await signedIn();
    const key = await new Proofs(store, () => NOW).spend(proof(), request);
    // The door was in use before: what was leased of it must not outlive the binding.
    await ask(token, 'Bearer');
    const bond = { device: 'd', key, until: session.expiresAt };
    assert.ok(await sessions.doors.bind(token, CLI_DOOR, session, bond));
    assert.deepEqual((await ask(token, 'DPoP', proofFor(token)))?.session.bond, bond);
    await assert.rejects(ask(token, 'Bearer'), code('proof-missing'));
    await assert.rejects(ask(token, 'Bearer', proofFor(token)), code('proof-missing'));
    await assert.rejects(ask(token, 'DPoP'), code('proof-missing'));
    const jwk = others.publicKey.export({ format: 'jwk' });
    const foreign = proofFor(token, { header: { jwk }, signer: others.privateKey });
    await assert.rejects(ask(token, 'DPoP', foreign), code('proof-other-key'));
    await assert.rejects(
      ask(token, 'DPoP', proofFor(token, { header: { jwk }, signer: others.privateKey })),
      /Sign in again: sallyport login/,
    );
  });

  test('stays with the device it met first, also where both come before that is known everywhere', async () => {
    const { token, session } = await signedIn();
    const bond = (device: string) => ({ device, key: `key of ${device}`, until: session.expiresAt });
    const bound = await Promise.all([
      sessions.doors.bind(token, CLI_DOOR, session, bond('one')),
      sessions.doors.bind(token, CLI_DOOR, session, bond('another')),
    ]);
    assert.deepEqual(bound, [true, false]);
    assert.deepEqual((await sessions.doors.find(token, CLI_DOOR))?.bond, bond('one'));
    assert.equal(await sessions.doors.bind(token, CLI_DOOR, session, bond('one')), true);
  });

  test('whose door was closed opens nothing, and cannot be bound any more', async () => {
    const { token, session } = await signedIn();
    await ask(token, 'Bearer');
    await sessions.doors.close(token);
    assert.equal(await ask(token, 'Bearer'), undefined);
    const bond = { device: 'd', key: 'k', until: session.expiresAt };
    assert.equal(await sessions.doors.bind(token, CLI_DOOR, session, bond), false);
  });
});
