// Claims, cookies and sessions: what is believed, what is kept, and when it ends.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ProviderConfig } from '#gateway/config';
import { type ClaimsError, loginOf, subjectOf } from '#gateway/identity/claims';
import { hashSecret, newSecret, readCookie, SESSION_COOKIE, setCookie } from '#gateway/identity/cookies';
import { Sessions } from '#gateway/identity/sessions';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';

const provider: ProviderConfig = {
  id: 'corp',
  name: 'Corp',
  issuer: 'https://id.example.com',
  clientId: 'sallyport',
  scopes: ['openid'],
  groupsClaim: 'groups',
  rolesClaim: 'roles',
  signingAlgorithm: 'RS256',
  mfa: { amr: ['mfa', 'hwk'], acr: ['urn:strong'] },
};
const claims = { iss: 'https://id.example.com', sub: '1' };

describe('claims', () => {
  test('identity is issuer and subject; groups carry the provider', () => {
    const subject = subjectOf({ ...claims, name: 'Ada', groups: ['eng', 'ops'] }, provider);
    assert.equal(subject.id, 'https://id.example.com#1');
    assert.deepEqual(subject.groups, ['corp:eng', 'corp:ops']);
    assert.equal(subject.name, 'Ada');
  });

  test('an address counts only when verified and plain', () => {
    const email = (more: object): string | undefined => subjectOf({ ...claims, ...more }, provider).email;
    assert.equal(email({ email: 'a@x.example', email_verified: true }), 'a@x.example');
    assert.equal(email({ email: 'a@x.example' }), undefined);
    assert.equal(email({ email: 'a@x.example', email_verified: 'true' }), undefined);
    assert.equal(email({ email: 'a@x@y.example', email_verified: true }), undefined);
    assert.equal(email({ email: 'a@x.example\r\n', email_verified: true }), undefined);
  });

  const refused: [name: string, more: object, code: ClaimsError['code']][] = [
    ['overage', { _claim_names: { groups: 'src1' } }, 'groups-overage'],
    ['groups that are no list', { groups: { a: 1 } }, 'groups-malformed'],
    ['groups that are no names', { groups: ['a', 1] }, 'groups-malformed'],
    ['too many groups', { groups: Array.from({ length: 1001 }, String) }, 'too-many-groups'],
    ['an endless group name', { groups: ['x'.repeat(300)] }, 'claim-too-long'],
    ['no subject', { sub: '' }, 'sub-missing'],
    ['a subject that is no text', { sub: 7 }, 'sub-missing'],
  ];
  for (const [name, more, code] of refused) {
    test(`${name} is a refusal`, () => {
      assert.throws(() => subjectOf({ ...claims, ...more }, provider), { code });
    });
  }

  test('a second factor counts from when it was used, never from the future', () => {
    const now = 1_000_000_000;
    const seconds = now / 1000;
    const mfaAt = (more: object): number | undefined => loginOf({ ...claims, ...more }, provider, now).mfaAt;
    assert.equal(mfaAt({ amr: ['pwd', 'hwk'], auth_time: seconds - 60 }), now - 60_000);
    assert.equal(mfaAt({ amr: ['pwd'], auth_time: seconds - 60 }), undefined);
    assert.equal(mfaAt({ acr: 'urn:strong', auth_time: seconds }), now);
    assert.equal(mfaAt({ amr: ['hwk'], auth_time: seconds + 30 }), now);
    assert.equal(mfaAt({ amr: ['hwk'], auth_time: seconds + 3600 }), undefined);
    assert.equal(mfaAt({ amr: 'hwk', auth_time: seconds }), undefined);
    // Whoever is signed in at the provider for a week is so again here without being asked for anything.
    assert.equal(mfaAt({ amr: ['hwk'] }), undefined, 'it is not said when');
    assert.equal(mfaAt({ amr: ['hwk'], auth_time: String(seconds) }), undefined);
  });
});

describe('cookies', () => {
  const value = newSecret();
  test('are read only whole, once and exactly named', () => {
    assert.equal(readCookie(`a=b; ${SESSION_COOKIE}=${value}`, SESSION_COOKIE), value);
    assert.equal(readCookie(`${SESSION_COOKIE}-browser=${value}`, SESSION_COOKIE), undefined);
    assert.equal(readCookie(`x${SESSION_COOKIE}=${value}`, SESSION_COOKIE), undefined);
    assert.equal(
      readCookie(`${SESSION_COOKIE}=${value}; ${SESSION_COOKIE}=${value}`, SESSION_COOKIE),
      undefined,
    );
    assert.equal(readCookie(`${SESSION_COOKIE}=short`, SESSION_COOKIE), undefined);
    assert.equal(readCookie(undefined, SESSION_COOKIE), undefined);
  });
  test('are host-only, secure and out of reach of scripts', () => {
    assert.equal(
      setCookie(SESSION_COOKIE, 'v', 60),
      '__Host-sallyport=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60',
    );
  });
});

describe('sessions', () => {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-sessions-'));
  const subject = { kind: 'user', id: 'https://id#1', groups: [], roles: [] } as const;
  let time = 1_000_000;
  const login = { provider: 'corp', at: time } as const;
  let store: EmbeddedStore;
  let sessions: Sessions;
  const ended: [string, string][] = [];

  before(() => {
    store = openEmbeddedStore(root, () => time);
    sessions = new Sessions(
      store,
      { idle: 10_000, absolute: 60_000 },
      () => time,
      async ({ id }, why) => {
        ended.push([id, why]);
      },
    );
  });
  after(async () => {
    await store.close();
    rmSync(root, { recursive: true, force: true });
  });

  test('a cookie opens its session on its own host only', async () => {
    const session = await sessions.start(subject, login, '192.0.2.1');
    const { value } = await sessions.openDoor(session, 'wiki.example.com');
    assert.equal((await sessions.find(value, 'wiki.example.com'))?.id, session.id);
    assert.equal(await sessions.find(value, 'other.example.com'), undefined);
    assert.equal(await sessions.find(newSecret(), 'wiki.example.com'), undefined);
  });

  test('no cookie is kept, only its hash', async () => {
    const session = await sessions.start(subject, login, '192.0.2.1');
    const { value } = await sessions.openDoor(session, 'wiki.example.com');
    assert.equal(await store.get('door', value), undefined);
    assert.notEqual(await store.get('door', hashSecret(value)), undefined);
  });

  test('what opens a session has 256 bits by chance, and signing in anew takes up nothing of before', async () => {
    const opened = new Set<string>();
    const ids = new Set<string>();
    const bytes: number[] = [];
    for (let i = 0; i < 200; i += 1) {
      const session = await sessions.start(subject, login, '192.0.2.1');
      const { value } = await sessions.openDoor(session, 'wiki.example.com');
      ids.add(session.id);
      opened.add(value);
      const secret = Buffer.from(value, 'base64url');
      assert.equal(secret.length, 32);
      bytes.push(...secret);
    }
    assert.deepEqual([opened.size, ids.size], [200, 200]);
    // Chi-squared over 6,400 bytes with 255 degrees of freedom: beyond 360 once in a hundred thousand runs.
    const expected = bytes.length / 256;
    const counts = Array.from({ length: 256 }, (_, byte) => bytes.filter((one) => one === byte).length);
    const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.ok(chi < 360, String(chi));
  });

  test('ending a session closes it on every host at once, and is told once', async () => {
    const session = await sessions.start(subject, login, '192.0.2.1');
    const one = await sessions.openDoor(session, 'a.example');
    const two = await sessions.openDoor(session, 'b.example');
    const results = await Promise.all(Array.from({ length: 10 }, () => sessions.end(session.id, 'logout')));
    assert.equal(results.filter(Boolean).length, 1);
    assert.equal(await sessions.find(one.value, 'a.example'), undefined);
    assert.equal(await sessions.find(two.value, 'b.example'), undefined);
    assert.deepEqual(
      ended.filter(([id]) => id === session.id),
      [[session.id, 'logout']],
    );
    assert.equal(await sessions.alive(session.id), false);
  });

  test('an idle session ends', async () => {
    const session = await sessions.start(subject, login, '192.0.2.1');
    time += 10_001;
    assert.equal(await sessions.byId(session.id), undefined);
    assert.deepEqual(ended.at(-1), [session.id, 'idle']);
  });

  test('a used session ends at its absolute limit', async () => {
    const long = new Sessions(
      store,
      { idle: 3_600_000, absolute: 60_000 },
      () => time,
      async () => undefined,
    );
    const session = await long.start(subject, login, '192.0.2.1');
    time += 59_999;
    assert.equal((await long.byId(session.id))?.id, session.id);
    time += 1;
    assert.equal(await long.byId(session.id), undefined);
  });

  test('a hand-off works once, on its host, for the browser that asked', async () => {
    const session = await sessions.start(subject, login, '192.0.2.1');
    const start = newSecret();
    const destination = { host: 'wiki.example.com', path: '/a?b', start: hashSecret(start) };
    const spend = async (host: string, ...cookies: string[]): Promise<unknown> =>
      (await sessions.receive(await sessions.handOff(session, destination), host, cookies))?.path;
    assert.equal(await spend('wiki.example.com', start), '/a?b');
    assert.equal(await spend('wiki.example.com', newSecret(), start), '/a?b', 'another tab began one, too');
    assert.equal(await spend('other.example.com', start), undefined);
    assert.equal(await spend('wiki.example.com', newSecret()), undefined);
    assert.equal(await spend('wiki.example.com'), undefined);
    const code = await sessions.handOff(session, destination);
    await sessions.receive(code, 'wiki.example.com', [start]);
    assert.equal(await sessions.receive(code, 'wiki.example.com', [start]), undefined);
    const late = await sessions.handOff(session, destination);
    time += 30_001;
    assert.equal(await sessions.receive(late, 'wiki.example.com', [start]), undefined);
  });
});
