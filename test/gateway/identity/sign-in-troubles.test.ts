// What the log says of sign-ins that fail: the cause, no more often than it helps, and no secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginError } from '#gateway/identity/providers';
import { SignInTroubles } from '#gateway/identity/sign-in-troubles';

test('the cause is told with what it wraps, once a minute for each reason', () => {
  const lines: string[] = [];
  let time = 0;
  const log = { warn: (_: object, message: string) => void lines.push(message) };
  const troubles = new SignInTroubles(log, () => time);
  const refused = Object.assign(new Error('the server answered an error'), { error: 'invalid_client' });
  const fails = (code: 'provider-refused' | 'provider-unreachable', cause?: Error): void =>
    troubles.tell('corp', new LoginError(code, 403, 'for people', cause === undefined ? {} : { cause }));
  fails('provider-refused', refused);
  fails('provider-refused', refused);
  fails('provider-unreachable', new Error('discovery', { cause: new Error('getaddrinfo ENOTFOUND id') }));
  fails('provider-unreachable');
  time = 60_000;
  fails('provider-refused', Object.assign(new Error('no'), { error: 'a\nb' }));
  assert.deepEqual(lines, [
    'sign-ins with corp fail (provider-refused): the server answered an error (invalid_client)',
    'sign-ins with corp fail (provider-unreachable): discovery: getaddrinfo ENOTFOUND id',
    'sign-ins with corp fail (provider-refused): no',
  ]);
});
