// Secrets that others hold are looked up by their hash: what time could tell of a comparison is of the hash, and a guess
// that shares most of a secret has a hash that shares nothing. `npm run bench -- timing` measures the same.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hashSecret } from '#gateway/identity/cookies';
import { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR } from '#gateway/identity/terminal';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Store } from '#gateway/state/store';

const HOUR = 3_600_000;
const CONNECTOR = 'rack-1';
const directory = mkdtempSync(join(tmpdir(), 'sallyport-secrets-'));
const store = openEmbeddedStore(join(directory, 'state'), Date.now);
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Every key that the store is asked for. */
const asked: string[] = [];
const watched: Store = new Proxy<Store>(store, {
  get: (target, name) => {
    const method: unknown = Reflect.get(target, name);
    if (typeof method !== 'function') return method;
    return (...args: unknown[]) => {
      if (name !== 'count') asked.push(String(args[1]));
      return method.apply(target, args);
    };
  },
});

/** Alike but for the last of its 43 characters, whose upper four bits count. */
const almost = (secret: string): string => secret.slice(0, -1) + (secret.endsWith('A') ? 'Q' : 'A');

async function keysFor(guess: () => Promise<unknown>): Promise<string[]> {
  asked.length = 0;
  await guess().catch(() => undefined);
  // What is no secret may be asked for, too.
  return asked.filter((key) => key !== CONNECTOR);
}

test('a guess that shares most of a secret asks for a key that shares nothing with it', async () => {
  const sessions = new Sessions(watched, { idle: HOUR, absolute: HOUR }, Date.now, async () => undefined);
  const subject = { kind: 'user', id: 'i#1', groups: [], roles: [] } as const;
  const session = await sessions.start(subject, { provider: 'p', at: Date.now() }, '192.0.2.1');
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const desk = new EnrolmentDesk({
    ...{ store: watched, authority, trustDomain: 'sallyport.internal', certificateLife: HOUR, now: Date.now },
  });
  const { token } = await desk.createToken(CONNECTOR, HOUR, 'test');
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const withSecret = (secret: string): string =>
    `${token.split('.')[0]}.${Buffer.from(JSON.stringify({ ...claims, secret })).toString('base64url')}`;
  const destination = { host: 'wiki.test', path: '/', start: '' };
  const secrets: [what: string, secret: string, use: (secret: string) => Promise<unknown>][] = [
    [
      'a cookie',
      (await sessions.openDoor(session, 'wiki.test')).value,
      (one) => sessions.find(one, 'wiki.test'),
    ],
    [
      'a terminal’s token',
      (await sessions.openDoor(session, CLI_DOOR)).value,
      (one) => sessions.find(one, CLI_DOOR),
    ],
    [
      'a hand-off code',
      await sessions.handOff(session, destination),
      (one) => sessions.receive(one, 'wiki.test', ['x']),
    ],
    ['an enrolment token', claims.secret, (one) => desk.enrol(withSecret(one), '')],
  ];
  for (const [what, secret, use] of secrets) {
    const guess = almost(secret);
    const [looked = ''] = await keysFor(() => use(guess));
    assert.equal(looked, hashSecret(guess), `${what} is looked up by its hash alone`);
    const real = hashSecret(secret);
    const shared = [...looked].findIndex((character, index) => character !== real[index]);
    assert.ok(shared < 8, `${what}: ${shared} characters are shared`);
    const [found] = await keysFor(() => use(secret));
    assert.equal(found, real, `${what} itself would be found`);
    for (const key of asked) assert.ok(!key.includes(secret), `${what} is in no key`);
  }
});
