// What may be written down of a request, at its edges.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { clip, hostAsSent, ipOf, redactQuery, redactTarget } from '#siem/ecs/parts';
import { examples } from './examples.ts';

describe('redaction', () => {
  test('of a query keeps names only, and takes a bare word for a secret', () => {
    assert.equal(redactQuery('a=1&b=2'), 'a=REDACTED&b=REDACTED');
    assert.equal(redactQuery('eyJhbGciOiJub25lIn0'), 'REDACTED');
    assert.equal(redactQuery('a=1=2&=3&&c'), 'a=REDACTED&=REDACTED&REDACTED&REDACTED');
    assert.equal(redactQuery(`${'s'.repeat(65)}=1`), 'REDACTED');
    assert.equal(redactQuery(''), '');
  });

  test('of a query is bounded', () => {
    const redacted = redactQuery(Array.from({ length: 500 }, (_, index) => `p${index}=1`).join('&'));
    assert.equal(redacted.split('&').length, 33);
    assert.ok(redacted.endsWith('&…'));
  });

  test('of a target cuts the fragment, the values and any password', () => {
    assert.equal(redactTarget('/a?t=hunter2#hunter2'), '/a?t=REDACTED');
    assert.equal(redactTarget('http://ada:hunter2@x/a'), 'http://REDACTED@x/a');
    assert.equal(redactTarget('/a@b'), '/a@b');
  });

  test('of a host removes the userinfo', () => {
    assert.deepEqual(hostAsSent('ada:hunter2@x.example'), { domain: 'REDACTED@x.example' });
    assert.deepEqual(hostAsSent('ada:hunter2@x.example:443'), { domain: 'REDACTED@x.example', port: 443 });
    assert.deepEqual(hostAsSent('x.example'), { domain: 'x.example' });
  });
});

test('a port is told apart from the host it was sent with', () => {
  assert.deepEqual(hostAsSent('x.example:8443'), { domain: 'x.example', port: 8443 });
  assert.deepEqual(hostAsSent('[2001:db8::1]:443'), { domain: '[2001:db8::1]', port: 443 });
  for (const host of ['x.example:', 'x.example:65536', 'a:b:1', ':443', '2001:db8::1']) {
    assert.deepEqual(hostAsSent(host), { domain: host });
  }
});

test('an address is only an ip if Elasticsearch takes it for one', () => {
  assert.equal(ipOf('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(ipOf('fe80::1%eth0'), 'fe80::1');
  assert.equal(ipOf('2001:db8::1'), '2001:db8::1');
  assert.equal(ipOf('localhost'), undefined);
  assert.equal(ipOf(''), undefined);
});

test('text is clipped without leaving half a character', () => {
  assert.ok(clip('😀'.repeat(600), 100).isWellFormed());
  assert.equal(clip('a'.repeat(100), 100), 'a'.repeat(100));
  assert.equal(clip('a'.repeat(101), 100).length, 100);
});

describe('a line', () => {
  const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' });
  const lineWith = (userAgent: string): string =>
    encodeLine(mapper.document({ ...examples['login-failed'], userAgent }, 'id', 0));
  const read = (line: string): string => JSON.parse(line).user_agent.original;

  test('escapes what is unsafe without changing it', () => {
    const userAgent = 'a\r\n\u2028\u2029\u001b[31m\u0085\u202e';
    const line = lineWith(userAgent);
    assert.match(line, /\\r\\n\\u2028\\u2029\\u001b\[31m\\u0085\\u202e/);
    assert.equal(read(line), userAgent);
  });

  test('replaces half characters, which many readers refuse, and leaves text about them alone', () => {
    assert.equal(read(lineWith('a\ud800b')), 'a\ufffdb');
    assert.equal(read(lineWith('a\\ud800b')), 'a\\ud800b');
  });
});
