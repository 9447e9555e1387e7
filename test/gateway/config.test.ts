// The gateway's configuration: what a mistake is told, with line and column, and that all are told at once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';
import { formatProblems, jsonSchema, readDocument } from '#policy/document';
import { GOOD, problems } from './config-document.ts';

function read(text: string): GatewayConfig {
  const reading = readDocument(gatewaySchema, text, 'gateway.yaml');
  assert.ok(reading.ok, reading.ok ? '' : formatProblems(reading.problems));
  return reading.value;
}

test('what is left out has a safe value', () => {
  const config = read(GOOD);
  assert.deepEqual(config.listen.health, { host: '127.0.0.1', port: 9090 });
  assert.deepEqual(config.identity.sessions, { idle: 3_600_000, absolute: 43_200_000 });
  assert.equal(config.connectors.certificateLife, 86_400_000);
  assert.equal(config.outbox.quota, 2 * 2 ** 30);
  assert.deepEqual(config.limits.strangers, { perAddress: 1_000, together: 6_000 });
});

test('paths are taken from where the document is', () => {
  const config = resolvePaths(read(GOOD), '/etc/sallyport');
  assert.equal(config.policy, '/etc/sallyport/policy.yaml');
  assert.equal(config.state, '/etc/sallyport/state');
  assert.equal(config.identity.providers[0]?.clientSecret?.file, '/etc/sallyport/secret');
});

describe('a mistake is named with its place', () => {
  const mistakes: [name: string, from: string, to: string, expected: RegExp][] = [
    [
      'a misspelt key',
      'portal:',
      'potral:',
      /^gateway\.yaml:3:1: unknown key `potral`.*did you mean `portal`/,
    ],
    ['an unknown key', 'version: 1', 'version: 1\nturbo: yes', /^gateway\.yaml:2:1: unknown key `turbo`/],
    [
      'a secret in the document',
      'clientSecret: { file: ./secret }',
      'clientSecret: hunter2',
      /^gateway\.yaml:10:/,
    ],
    [
      'a portal without TLS',
      'https://access',
      'http://access',
      /^gateway\.yaml:3:9: expected an https origin/,
    ],
    ['a portal with a path', ':8443', ':8443/x', /^gateway\.yaml:3:9: expected an https origin/],
    ['a portal that is no URL', ':8443', ':8443{', /^gateway\.yaml:3:9: expected an https origin/],
    ['an issuer without TLS', 'https://id.', 'http://id.', /^gateway\.yaml:8:15: expected an https URL/],
    [
      'a host with a scheme',
      'host: wiki',
      'host: https://wiki',
      /^gateway\.yaml:14:11: expected a lower-case host name/,
    ],
    [
      'a host in capitals',
      'host: wiki',
      'host: WIKI',
      /^gateway\.yaml:14:11: expected a lower-case host name/,
    ],
    [
      'the portal as an app',
      'host: wiki.example.com',
      'host: access.example.com',
      /^gateway\.yaml:14:11: .*used twice/,
    ],
    ['no connector', '[berlin-1]', '[]', /^gateway\.yaml:15:17: /],
    [
      'health for everybody',
      'version: 1',
      'version: 1\nlisten: { health: "0.0.0.0:9090" }',
      /^gateway\.yaml:2:19: .*loopback/,
    ],
    [
      'no port',
      'version: 1',
      'version: 1\nlisten: { people: "0.0.0.0" }',
      /^gateway\.yaml:2:19: expected address:port/,
    ],
    ['a duration without a unit', 'apps:', '  sessions: { idle: 30 }\napps:', /^gateway\.yaml:11:21: /],
    [
      'idle beyond absolute',
      'apps:',
      '  sessions: { idle: 2d, absolute: 1h }\napps:',
      /^gateway\.yaml:11:21: .*never take effect/,
    ],
    [
      'a version in quotes',
      'version: 1',
      'version: "1"',
      /^gateway\.yaml:1:10: expected 1 without quotes, found a text$/,
    ],
    ['another version', 'version: 1', 'version: 2', /^gateway\.yaml:1:10: /],
    [
      'a certificate without its key',
      'version: 1',
      'version: 1\ntls: { certificate: a.pem }',
      /^gateway\.yaml:2:1: the key `key` is missing/,
    ],
    ['no document', GOOD, '', /^gateway\.yaml:1:1: /],
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

  test('a secret written into the document is not repeated', () => {
    const found = problems(GOOD.replace('clientSecret: { file: ./secret }', 'clientSecret: hunter2')).join(
      '\n',
    );
    assert.match(found, /gateway\.yaml:10:.*expected a mapping, found a text/);
    assert.ok(!found.includes('hunter2'));
  });

  test('a provider cannot be called what a policy calls its own', () => {
    const found = problems(GOOD.replace('id: corp', 'id: role')).join('\n');
    assert.match(found, /this prefix means something else in policies/);
  });

  test('all of them at once', () => {
    const found = problems(
      GOOD.replace('portal:', 'potral:')
        .replace('host: wiki', 'host: WIKI')
        .replace('id: corp', 'id: "c orp"'),
    );
    assert.ok(found.length >= 4, found.join('\n'));
  });
});

describe('state', () => {
  const withState = (text: string): string => `${GOOD}${text}\n`;
  const redis = (keys: string): string =>
    withState(`state: { kind: redis, directory: ./s, secret: { file: ./k }, redis: { ${keys} } }`);

  test('in Redis keeps a directory of its own, and every path is resolved', () => {
    const reading = readDocument(
      gatewaySchema,
      redis('server: "redis:6379", password: { file: ./p }, tls: { ca: ./ca.pem }'),
      'gateway.yaml',
    );
    assert.ok(reading.ok, JSON.stringify(reading));
    const { state, store } = resolvePaths(reading.value, '/etc/sallyport');
    assert.equal(state, '/etc/sallyport/s');
    assert.ok(store.kind === 'redis');
    assert.deepEqual(store.secret, { file: '/etc/sallyport/k' });
    const { server, password, tls, database, prefix } = store.redis;
    assert.deepEqual(
      { server, password, tls, database, prefix },
      {
        server: { host: 'redis', port: 6379 },
        password: { file: '/etc/sallyport/p' },
        tls: { ca: '/etc/sallyport/ca.pem' },
        database: 0,
        prefix: 'sallyport',
      },
    );
  });

  const mistakes: [name: string, keys: string, expected: RegExp][] = [
    ['nowhere', 'database: 1', /exactly one of server, sentinel and cluster: none is there/],
    ['two places', 'server: "a:1", cluster: ["b:2"]', /there are server and cluster/],
    ['no port', 'server: redis', /expected host:port, like redis-1.internal:6379/],
    ['half a key pair', 'server: "a:1", tls: { key: ./k }', /certificate and key belong together/],
    ['a user without a password', 'server: "a:1", username: me', /a user needs a password/],
    [
      'a user of Sentinels without a password',
      'sentinel: { name: a, addresses: ["a:1"], username: me }',
      /a user needs a password/,
    ],
    ['a password in the document', 'server: "a:1", password: hunter2', /expected a mapping/],
    ['a database of a Cluster', 'cluster: ["a:1"], database: 2', /a Cluster has database 0 only/],
    ['an unknown key', 'server: "a:1", pasword: { file: ./p }', /pasword/],
  ];
  for (const [name, keys, expected] of mistakes) {
    test(`in Redis with ${name} is refused`, () => {
      const found = problems(redis(keys)).join('\n');
      assert.match(found, expected);
      assert.ok(!found.includes('hunter2'));
    });
  }

  test('of an unknown kind is refused', () => {
    assert.match(problems(withState('state: { kind: memory }')).join('\n'), /embedded|redis/);
  });
});

test('nobody else may vouch for the trust domain of our own services', () => {
  const domains = '  trustDomains:\n    - { name: sallyport.internal, bundle: ./other.pem }\n';
  assert.match(problems(`${GOOD}services:\n${domains}`).join('\n'), /this installation alone vouches/);
  const issuer =
    '{ name: spire, issuer: "https://spire.example", audiences: [x], keys: ./k.json, trustDomain: sallyport.internal }';
  const issuers = `${GOOD}services:\n  issuers:\n    - ${issuer}\n`;
  assert.match(problems(issuers).join('\n'), /this installation alone vouches/);
});

describe('the review of tokens', () => {
  const issuer = (name: string, review: string): string =>
    `    - { name: ${name}, issuer: "https://${name}.example", audiences: [x], keys: ./k.json, review: ${review} }\n`;
  const mistakes: [name: string, reviews: string[], expected: RegExp][] = [
    ['by nobody', ['{ cluster: prod, connectors: [] }'], /at least one connector/],
    ['that counts for a minute', ['{ cluster: prod, connectors: [a], keep: 1m }'], /from 1s to 30s/],
    ['of a cluster with a path', ['{ cluster: a/b, connectors: [a] }'], /like prod/],
    ['of one cluster for two', Array(2).fill('{ cluster: prod, connectors: [a] }'), /used twice/],
  ];
  for (const [name, reviews, expected] of mistakes) {
    test(`${name} is refused`, () => {
      const issuers = reviews.map((review, index) => issuer(`i${index}`, review)).join('');
      assert.match(problems(`${GOOD}services:\n  issuers:\n${issuers}`).join('\n'), expected);
    });
  }

  test('of more audiences than can be asked about is refused; without a review they are fine', () => {
    const one = issuer('prod', '{ cluster: prod, connectors: [a] }');
    const of = (audiences: readonly string[], reviewed = true): string => {
      const text = one.replace('[x]', JSON.stringify(audiences));
      const kept = reviewed ? text : text.replace(/, review: \{.*?\}/, '');
      return problems(`${GOOD}services:\n  issuers:\n${kept}`).join('\n');
    };
    const many = (count: number, length = 1): string[] => Array(count).fill('x'.repeat(length));
    for (const [good, bad] of [
      [many(16), many(17)],
      [many(1, 1024), many(1, 1025)],
      [many(7, 1024), many(8, 1024)],
    ] as const) {
      assert.equal(of(good), '');
      assert.match(of(bad), /with `review` expected at most 16 audiences/);
      assert.equal(of(bad, false), '');
    }
  });

  test('has ids of its own, which no app may have', () => {
    const taken = GOOD.replace('id: wiki', 'id: sallyport.token-review.prod');
    assert.match(problems(taken).join('\n'), /begin with sallyport\. are the gateway’s own/);
  });
});

test('editors get a schema that knows every key', () => {
  const schema = JSON.stringify(jsonSchema(gatewaySchema));
  for (const key of ['portal', 'clientSecret', 'groupsClaim', 'certificateLife', 'countries'])
    assert.ok(schema.includes(key));
});

test('the pages that explain the configuration name every key', () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
  const pages = [
    'gateway.md',
    'state.md',
    'assertion.md',
    'services.md',
    'changes.md',
    'admin.md',
    'pki.md',
    'ssh.md',
  ];
  const page = pages.map(read).join('');
  const keys = new Set<string>();
  const root = jsonSchema(gatewaySchema) as { readonly definitions: Record<string, unknown> };
  const collect = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [word, value] of Object.entries(schema)) {
      if (word === '$ref') collect(root.definitions[String(value).split('/').at(-1) ?? '']);
      if (word === 'properties') for (const key of Object.keys(value as object)) keys.add(key);
      // Sinks have a page of their own.
      if (word !== 'siem' && word !== 'definitions') collect(value);
    }
  };
  collect(root);
  assert.ok(keys.size > 30);
  const missing = [...keys].filter((key) => !new RegExp(`[\`.\\[]${key}[\`.\\[]`).test(page));
  assert.deepEqual(missing, []);
});
