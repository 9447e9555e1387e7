// The connector's configuration: what it takes, and that a mistake in it is told with its place.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ConnectorConfig, connectorSchema, resolvePaths } from '#connectors/config';
import { formatProblems, readDocument } from '#policy/document';

const GOOD = `version: 1
name: berlin-1
gateway: https://gw.example.com:8444
apps:
  wiki: { url: 'http://127.0.0.1:3000' }
  vault: { url: 'https://[::1]:8443', ca: vault-ca.pem, serverName: vault.internal, headTimeout: 120s }
`;

function read(text: string): ConnectorConfig | string {
  const reading = readDocument(connectorSchema, text, 'connector.yaml');
  return reading.ok ? reading.value : formatProblems(reading.problems);
}

test('a good document is read, with defaults and paths from its own place', () => {
  const config = resolvePaths(read(GOOD) as ConnectorConfig, '/etc/sallyport');
  assert.equal(config.state, '/etc/sallyport/connector-state');
  assert.deepEqual([config.gateways, config.tunnels], [['https://gw.example.com:8444'], 2]);
  assert.deepEqual(config.apps, {
    wiki: { url: 'http://127.0.0.1:3000', headTimeout: 60_000 },
    vault: {
      url: 'https://[::1]:8443',
      ca: '/etc/sallyport/vault-ca.pem',
      serverName: 'vault.internal',
      headTimeout: 120_000,
    },
  });
});

test('several gateways, and how many tunnels to each', () => {
  const list = 'gateways: ["https://gw1.example.com:8444", "https://gw2.example.com:8444"]\ntunnels: 3';
  const config = read(GOOD.replace(/^gateway:.*$/m, list)) as ConnectorConfig;
  assert.deepEqual(
    [config.gateways, config.tunnels],
    [['https://gw1.example.com:8444', 'https://gw2.example.com:8444'], 3],
  );
});

test('a cluster is found as pods find it, and a connector may be there for nothing else', () => {
  const text = `${GOOD.slice(0, GOOD.indexOf('apps:'))}clusters:\n  prod: {}\n  test: { url: 'https://10.0.0.1:6443', ca: ca.crt, token: token }\n`;
  const { apps, clusters } = resolvePaths(read(text) as ConnectorConfig, '/etc/sallyport');
  const pod = '/var/run/secrets/kubernetes.io/serviceaccount';
  assert.deepEqual(apps, {});
  assert.deepEqual(clusters, {
    prod: { url: 'https://kubernetes.default.svc', ca: `${pod}/ca.crt`, token: `${pod}/token` },
    test: { url: 'https://10.0.0.1:6443', ca: '/etc/sallyport/ca.crt', token: '/etc/sallyport/token' },
  });
});

const ORIGIN = 'https://gw.example.com:8444';
const MISTAKES: [what: string, from: string, to: string, says: RegExp][] = [
  ['an unknown key', 'name:', 'nmae:', /2:1.*nmae/],
  ['a plain gateway', 'https://gw', 'http://gw', /3:10.*https origin/],
  ['a path in an app', ':3000', ':3000/admin', /5:16.*paths are the request/],
  ['credentials in an app', 'http://127', 'http://me:secret@127', /5:16/],
  ['another scheme', 'http://127.0.0.1:3000', 'file:///etc/passwd', /5:16/],
  ['an upper-case app', 'wiki:', 'Wiki:', /5:3/],
  ['a head timeout beyond the gateway’s patience', '120s', '900s', /6:98: expected at most 290s/],
  ['no gateway', `gateway: ${ORIGIN}\n`, '', /1:1: the key `gateway` is missing/],
  ['an empty list of gateways', `gateway: ${ORIGIN}`, 'gateways: []', /3:11/],
  [
    'one gateway and several',
    'apps:',
    `gateways: [${ORIGIN}]\napps:`,
    /3:10.*either `gateway` or `gateways`/,
  ],
  [
    'a gateway listed twice',
    `gateway: ${ORIGIN}`,
    `gateways: [${ORIGIN}, ${ORIGIN}/]`,
    /3:\d+.*is listed twice; more tunnels/,
  ],
  ['a plain gateway among several', `gateway: ${ORIGIN}`, `gateways: ['http://gw']`, /3:12.*https origin/],
  ['no tunnels', 'apps:', 'tunnels: 0\napps:', /4:10/],
  ['too many tunnels', 'apps:', 'tunnels: 17\napps:', /4:10/],
  [
    'a name beside a SPIFFE id',
    'headTimeout',
    'spiffeId: spiffe://a.b/c, headTimeout',
    /6:\d+.*either `serverName` or/,
  ],
  ['an id that is none', 'serverName: vault', 'spiffeId: vault', /6:\d+.*expected a SPIFFE id/],
  [
    'an id whom nobody vouches for',
    'ca: vault-ca.pem, serverName: vault.internal',
    'spiffeId: spiffe://a.b/c',
    /6:\d+.*give `ca` too/,
  ],
  [
    'a certificate for a plain app',
    `:3000'`,
    `:3000', client: { certificate: a, key: b }`,
    /5:\d+.*only an https app/,
  ],
  ['a certificate without its key', 'headTimeout', 'client: { certificate: a }, headTimeout', /6:\d+.*key/],
  ['an id that is the tunnel’s own', 'vault:', 'sallyport.vault:', /6:3.*the tunnel’s own/],
  ['a plain cluster', 'apps:', 'clusters: { prod: { url: http://10.0.0.1 } }\napps:', /4:26.*https origin/],
  ['a cluster with dots', 'apps:', 'clusters: { a.b: {} }\napps:', /4:13.*like prod/],
  ['no apps', GOOD.slice(GOOD.indexOf('  wiki')), '  {}\n', /name at least one app/],
];
for (const [what, from, to, says] of MISTAKES) {
  test(`refused: ${what}`, () => {
    assert.ok(GOOD.includes(from));
    const answer = read(GOOD.replace(from, to));
    assert.equal(typeof answer, 'string', 'it was accepted');
    assert.match(answer as string, says);
    assert.ok(!(answer as string).includes('secret'), 'a credential is not repeated');
  });
}

test('the examples in the documentation are good', () => {
  const page = readFileSync(new URL('../../docs/connector.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```yaml\n([\s\S]+?)```/g)].map(([, text = '']) => read(text));
  assert.ok(examples.length > 1);
  for (const example of examples) assert.equal(typeof example, 'object', String(example));
});
