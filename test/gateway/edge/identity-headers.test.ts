// The assertion under other gateways' names, and the plain fields that nobody signed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { identityHeaders, UNSIGNED_HEADER } from '#gateway/edge/identity-headers';
import { CONTEXT } from '#test/gateway/pki/signing';

describe('headers of other gateways', () => {
  test('carry the same signed word under their names', () => {
    assert.deepEqual(identityHeaders(['iap', 'pomerium', 'cloudflare'], 'signed', CONTEXT.subject), [
      ...['X-Goog-IAP-JWT-Assertion', 'signed'],
      ...['X-Pomerium-Jwt-Assertion', 'signed'],
      ...['Cf-Access-Jwt-Assertion', 'signed'],
    ]);
  });

  test('that are plain are listed as unsigned, and no name breaks out of one', () => {
    const subject = { ...CONTEXT.subject, name: 'Zoë,\r\nX-Evil: 1%', groups: ['corp:a,b', 'corp:c'] };
    assert.deepEqual(identityHeaders(['unsigned'], 'signed', subject), [
      ...['X-Forwarded-User', 'https://id#1'],
      ...['X-Forwarded-Email', 'ada@example.com'],
      ...['X-Forwarded-Preferred-Username', 'Zo%C3%AB%2C%0D%0AX-Evil:%201%25'],
      ...['X-Forwarded-Groups', 'corp:a%2Cb,corp:c'],
      ...[
        UNSIGNED_HEADER,
        'X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Preferred-Username, X-Forwarded-Groups',
      ],
    ]);
  });
});
