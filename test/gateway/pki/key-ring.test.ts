// Keys that sign assertions change without a gap: published long before they sign, and long after.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import type { AssertionSigner } from '#gateway/pki/assertion';
import { KEPT_AFTER, type KeyRing, PUBLISHED_AHEAD, turned } from '#gateway/pki/key-ring';
import { createVerifier } from '#gateway/pki/verify';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { Clock, CONTEXT, DAY, ISSUER, openRing, ROTATE, signerOf } from './signing.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-key-ring-'));
const clock = new Clock();
let store: EmbeddedStore;
let signer: AssertionSigner;

const keysOf = (jwks: KeyRing['jwks']): JSONWebKeySet => jwks as unknown as JSONWebKeySet;

before(async () => {
  store = openEmbeddedStore(root, clock.now);
  signer = await signerOf(store, clock);
});
after(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

describe('keys change', () => {
  test('over three years no assertion is signed with a key that was not published a day before', () => {
    const seen = new Map<string, number>();
    let keys = turned([], clock.time, ROTATE);
    for (const key of keys) seen.set(key.kid, clock.time);
    const first = keys[0]?.kid;
    let current = first;
    let changes = 0;
    for (let time = clock.time; time < clock.time + 3 * 365 * DAY; time += 6 * 3_600_000) {
      const before = keys;
      keys = turned(keys, time, ROTATE);
      for (const { kid } of keys) if (!seen.has(kid)) seen.set(kid, time);
      const signing = keys.findLast(({ signsFrom }) => signsFrom <= time)?.kid ?? '';
      if (signing !== current) {
        changes += 1;
        assert.ok(time - (seen.get(signing) ?? time) >= DAY, 'published a day ahead');
        assert.ok(
          keys.some(({ kid }) => kid === current),
          'the old one is still published',
        );
        current = signing;
      }
      for (const gone of before.filter(({ kid }) => !keys.some((key) => key.kid === kid))) {
        const successor = before[before.indexOf(gone) + 1];
        assert.ok(successor !== undefined && time >= successor.signsFrom + KEPT_AFTER);
      }
      assert.ok(keys.length <= 3);
    }
    assert.ok(changes >= 35, `${changes} changes`);
  });

  test('a gateway that was off for a year signs with a published key, and publishes the next a day ahead', () => {
    const keys = turned([], clock.time, ROTATE);
    const later = clock.time + 365 * DAY;
    const after = turned(keys, later, ROTATE);
    assert.equal(after.findLast(({ signsFrom }) => signsFrom <= later)?.kid, keys[1]?.kid);
    assert.ok(Number(after.at(-1)?.signsFrom) - later >= PUBLISHED_AHEAD);
  });

  test('a back end that holds yesterday’s key set takes what is signed today', async () => {
    const jwks = keysOf(signer.jwks);
    const held = createVerifier({ issuer: ISSUER, audience: 'wiki', keys: jwks, now: clock.now });
    const before = decodeProtectedHeader(signer.assertion(CONTEXT)).kid;
    clock.time += ROTATE + PUBLISHED_AHEAD;
    assert.notEqual(decodeProtectedHeader(signer.assertion(CONTEXT)).kid, before);
    await held(signer.assertion(CONTEXT));
  });

  test('gateways that share a store share keys, whoever is first', async () => {
    clock.time += 2 * ROTATE;
    const rings = await Promise.all(Array.from({ length: 5 }, () => openRing(store, clock)));
    const [first] = rings;
    for (const one of rings) assert.deepEqual(one.jwks, first?.jwks);
  });

  test('nothing private is published', () => {
    for (const key of keysOf(signer.jwks).keys) {
      assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
  });
});
