// The vocabulary of refusals: every code has a text of its own kind, and none says more than it may.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AttestationRefusal, REASON_CODES, reasonOf } from '#gateway/attest/refusal';
import { PAGE, reasonsReference } from './reasons-reference.ts';

test('every reason says what is wrong and what mends it, in whole sentences', () => {
  for (const code of REASON_CODES) {
    const { message, remedy } = reasonOf(code);
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    assert.match(message, /^[A-Z][^\n]+\.$/, code);
    assert.match(remedy, /^[A-Z][^\n]+\.?$/, code);
  }
  const messages = REASON_CODES.map((code) => reasonOf(code).message);
  assert.equal(new Set(messages).size, messages.length, 'two codes say the same');
});

test('a refusal carries its code, its remedy and the device', () => {
  const refusal = new AttestationRefusal('token-used', 'laptop-7');
  assert.equal(refusal.code, 'token-used');
  assert.equal(refusal.device, 'laptop-7');
  assert.equal(refusal.message, reasonOf('token-used').message);
  assert.equal(refusal.remedy, reasonOf('token-used').remedy);
});

test('the page of reasons is up to date', () => {
  assert.equal(
    readFileSync(PAGE, 'utf8'),
    reasonsReference(),
    'run node test/gateway/attest/write-reasons.ts',
  );
});
