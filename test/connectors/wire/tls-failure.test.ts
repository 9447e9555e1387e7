// A clock that is wrong shows as a certificate that is: whoever reads the error is told to look at both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tlsFailure } from '#connectors/wire/tls-failure';

test('a certificate out of its time makes one ask for the clock, anything else does not', () => {
  const failed = (code: string, message: string): string =>
    tlsFailure(Object.assign(new Error(message), { code }));
  assert.match(failed('CERT_NOT_YET_VALID', 'certificate is not yet valid'), /not yet valid .*clock right/);
  assert.match(failed('CERT_HAS_EXPIRED', 'certificate has expired'), /has expired .*clock right/);
  assert.equal(failed('ECONNREFUSED', 'connect ECONNREFUSED'), 'connect ECONNREFUSED');
});
