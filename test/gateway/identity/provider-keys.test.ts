// When an identity provider is asked for its keys: at once for one that is new, and never as often as strangers like.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JSONWebKeySet } from 'jose';
import { ProviderKeys } from '#gateway/identity/provider-keys';

const MINUTE = 60_000;
const { publicKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256' };
const keysNamed = (...kids: string[]): JSONWebKeySet => ({ keys: kids.map((kid) => ({ ...jwk, kid })) });

function bed() {
  const provider = { now: 0, loads: 0, kids: ['one'], away: false };
  const keys = new ProviderKeys(
    async () => {
      provider.loads += 1;
      if (provider.away) throw new Error('away');
      return keysNamed(...provider.kids);
    },
    () => provider.now,
  );
  const find = async (kid: string): Promise<string> =>
    Promise.resolve(keys.find({ alg: 'ES256', kid }, { payload: '', signature: '' })).then(
      () => 'found',
      (error: Error) => error.message,
    );
  return { provider, find };
}

describe('the keys of a provider', () => {
  test('are asked for once for many, and a new one is found at once', async () => {
    const { provider, find } = bed();
    await Promise.all(Array.from({ length: 50 }, () => find('one')));
    assert.equal(provider.loads, 1);
    provider.kids = ['one', 'two'];
    assert.equal(await find('two'), 'found');
    assert.equal(provider.loads, 2);
  });

  test('a hundred unknown keys are one look in half a minute', async () => {
    const { provider, find } = bed();
    for (let index = 0; index < 100; index += 1)
      assert.match(await find(`forged-${index}`), /no applicable key/);
    assert.equal(provider.loads, 2);
    provider.now += MINUTE / 2;
    await find('forged');
    assert.equal(provider.loads, 3);
  });

  test('while they cannot be had forged tokens are one look a second, and they are found soon after', async () => {
    const { provider, find } = bed();
    provider.away = true;
    for (let index = 0; index < 100; index += 1) assert.equal(await find(`forged-${index}`), 'away');
    assert.equal(provider.loads, 1);
    provider.away = false;
    provider.now += 1_001;
    assert.equal(await find('one'), 'found');
    assert.equal(provider.loads, 2);
  });

  test('those that are known stay good while a look for another one fails', async () => {
    const { provider, find } = bed();
    assert.equal(await find('one'), 'found');
    provider.away = true;
    assert.equal(await find('forged'), 'away');
    assert.equal(await find('one'), 'found');
    provider.now += 5 * MINUTE + 1;
    assert.equal(await find('one'), 'away', 'but not for longer than they would have been');
  });
});
