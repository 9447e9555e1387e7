// The names in a gateway's configuration, by which people, connectors and other gateways come: one by which nobody could
// get in is refused, and one that is written in another way counts all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewaySchema } from '#gateway/config';
import { readDocument } from '#policy/document';
import { GOOD, problems } from './config-document.ts';

const mistakes: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a portal by its address',
    'https://access.example.com:8443',
    'https://[2001:db8::1]:8443',
    /^gateway\.yaml:3:9: .*a name, not an address/,
  ],
  [
    'an app by its address',
    'host: wiki.example.com',
    'host: 192.0.2.7',
    /^gateway\.yaml:14:11: .*a name, not an address/,
  ],
  [
    'an issuer with a password',
    'https://id.',
    'https://me:hunter2@id.',
    /^gateway\.yaml:8:15: expected an https URL without credentials/,
  ],
  ...['https://gw.example.com', 'gw.example.com:8444', '"*.example.com"', '"[::1]"', '"gw example"'].map(
    (host): [string, string, string, RegExp] => [
      `connectors that dial ${host}`,
      'version: 1',
      `version: 1\nconnectors: { hosts: [gw.example.com, "::1", 192.0.2.7, ${host}] }`,
      /^gateway\.yaml:2:\d+: expected a host name or an address without scheme/,
    ],
  ),
  [
    'gateways that are told of a name which is in no certificate',
    'version: 1',
    'version: 1\nconnectors: { hosts: [gw.example.com], relay: "https://edge.example.com:8444" }',
    /^gateway\.yaml:2:\d+: edge\.example\.com is not among `connectors\.hosts`/,
  ],
];
for (const [name, from, to, expected] of mistakes) {
  test(name, () => {
    const found = problems(GOOD.replace(from, to));
    assert.ok(
      found.some((line) => expected.test(line)),
      found.join('\n') || 'no problem was found',
    );
  });
}

test('an origin is what browsers send, with or without the slash that was written', () => {
  const text = `${GOOD.replace(':8443', ':8443/')}    origins: ["https://pages.example.com/", "https://other.example.com"]\n`;
  const reading = readDocument(gatewaySchema, text, 'gateway.yaml');
  assert.ok(reading.ok);
  const [app] = reading.value.apps;
  assert.ok(app?.protocol === 'http');
  assert.deepEqual(
    [reading.value.portal, ...app.origins],
    ['https://access.example.com:8443', 'https://pages.example.com', 'https://other.example.com'],
  );
});

test('gateways reach each other by any of the names, however it is written', () => {
  for (const [name, relay] of [
    ['GW.example.com', 'https://gw.example.com'],
    ['2001:db8::1', 'https://[2001:db8::1]:8444'],
  ]) {
    const connectors = `connectors: { hosts: ["${name}"], relay: "${relay}" }`;
    assert.deepEqual(problems(GOOD.replace('version: 1', `version: 1\n${connectors}`)), []);
  }
});

test('a file has one sink that writes to it, and keeps its older files', () => {
  const of = (...sinks: readonly string[]): string =>
    problems(
      `${GOOD}siem:\n  sinks:\n${sinks.map((one, index) => `    - { name: s${index}, type: files, ${one} }\n`).join('')}`,
    ).join('\n');
  assert.equal(of('path: ./a', 'path: ./b', 'path: ./a.6', 'path: ./a.1.gz', 'path: ./a.01'), '');
  assert.match(
    of('path: ./a', 'path: ./a'),
    /^gateway\.yaml:19:\d+: the sink s0 writes there, .* one writer$/,
  );
  for (const other of ['path: a', 'path: ./x/../a', 'path: ./a.5', 'path: ./a.1'])
    assert.match(of('path: ./a', other), /one writer/, other);
  assert.match(
    of('path: ./a.7', 'path: ./b', 'path: ./a, keep: 7'),
    /^gateway\.yaml:20.* the sink s0 .* one writer$/,
  );
});
