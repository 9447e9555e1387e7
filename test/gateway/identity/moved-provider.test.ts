// What a provider says of itself is read anew: one whose addresses move is followed, and not more often than it needs.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Provider } from '#gateway/identity/providers';
import { Attempts } from './attempt.ts';
import { type HostileProvider, json, newKey } from './hostile.ts';

const MINUTE = 60_000;
let attempts: Attempts;
let provider: HostileProvider;

before(async () => {
  attempts = await Attempts.start();
  provider = attempts.hostile;
});
afterEach(() => attempts.repent());
after(() => attempts.close());

const read = (): number => provider.asked.filter((path) => path.includes('openid-configuration')).length;
const asked = (path: string): number => provider.asked.filter((one) => one === path).length;

/** From now on everything is elsewhere, and nothing where it was. */
function move(): void {
  const { issuer } = provider;
  provider.metadata = {
    jwks_uri: `${issuer}/moved/jwks`,
    token_endpoint: `${issuer}/moved/token`,
    userinfo_endpoint: `${issuer}/moved/userinfo`,
    authorization_endpoint: `${issuer}/moved/authorize`,
  };
  for (const route of ['jwks', 'token', 'userinfo'] as const)
    provider.misdeeds[route] = (response, { url = '' }) => {
      if (url.startsWith('/moved')) return undefined;
      json(response, 404, {});
      return true;
    };
}

test('sign-ins follow a provider that moved, after minutes', async () => {
  const known = attempts.provider();
  await attempts.signIn(known);
  move();
  attempts.time += 5 * MINUTE + 1;
  assert.match((await known.begin()).url.pathname, /^\/moved/);
  await attempts.signIn(known);
  assert.equal(asked('/moved/token'), 1);
  assert.equal(asked('/moved/jwks'), 1);
});

test('an unknown key is looked for where the keys are now', async () => {
  const known = attempts.provider();
  await attempts.signIn(known);
  move();
  // The one endpoint that sign-ins need meanwhile.
  provider.metadata = { jwks_uri: `${provider.issuer}/moved/jwks` };
  delete provider.misdeeds.token;
  delete provider.misdeeds.userinfo;
  provider.keys = [newKey('key-2')];
  attempts.time += MINUTE / 2;
  await attempts.signIn(known);
  assert.equal(asked('/moved/jwks'), 1);
});

test('many sign-ins and forged tokens read it once in their time', async () => {
  const known = attempts.provider();
  await Promise.all(Array.from({ length: 20 }, () => known.begin()));
  assert.equal(read(), 1);
  attempts.time += 5 * MINUTE - 1;
  await known.begin();
  assert.equal(read(), 1);
  attempts.time += 1;
  await Promise.all(Array.from({ length: 20 }, () => known.begin()));
  assert.equal(read(), 2);
  const stranger = newKey('stranger');
  for (let forged = 0; forged < 20; forged += 1) {
    const token = await provider.sign({ iss: provider.issuer }, { typ: 'logout+jwt' }, stranger);
    await assert.rejects(known.logoutToken(token));
  }
  assert.equal(read(), 2);
});

for (const [what, misdeed] of [
  ['is away', { status: 503, body: {} }],
  ['says that it is another', { status: 200, body: { issuer: 'https://other.example' } }],
] as const)
  test(`what is known stays while the provider ${what}, which is asked once in half a minute`, async () => {
    const known = attempts.provider();
    await attempts.signIn(known);
    provider.misdeeds.discovery = (response) => {
      json(response, misdeed.status, misdeed.body);
      return true;
    };
    attempts.time += 5 * MINUTE;
    for (let sign = 0; sign < 5; sign += 1) await attempts.signIn(known);
    assert.equal(read(), 2);
    await signedInAt(known, MINUTE / 2);
    assert.equal(read(), 3);
  });

async function signedInAt(known: Provider, later: number): Promise<void> {
  attempts.time += later;
  await attempts.signIn(known);
}
