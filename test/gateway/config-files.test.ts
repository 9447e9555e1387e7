// A configuration is checked with the files that it names: before a gateway is started, not at somebody's sign-in.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gatewaySchema, resolvePaths } from '#gateway/config';
import { fileProblems } from '#gateway/config-files';
import { providersOf } from '#gateway/identity/providers';
import { readDocument } from '#policy/document';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-files-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
for (const name of ['policy.yaml', 'tls.pem', 'roots.pem']) writeFileSync(at(name), '');
for (const name of ['tls.key', 'secret']) writeFileSync(at(name), 'x', { mode: 0o600 });

const TEXT = `version: 1
policy: ./policy.yaml
portal: https://access.example.com
tls: { certificate: ./tls.pem, key: ./tls.key }
attestation: { roots: [./roots.pem] }
identity:
  providers:
    - { id: corp, name: Corp, issuer: "https://id.example.com", clientId: x, clientSecret: { file: ./secret } }
apps: [{ id: wiki, name: Wiki, host: wiki.example.com, connectors: [rack-7] }]
`;
const reading = readDocument(gatewaySchema, TEXT, 'gateway.yaml');
assert.ok(reading.ok);
const config = resolvePaths(reading.value, directory);

test('all that is named is there', () => {
  assert.deepEqual(fileProblems(config), []);
});

test('every problem is told, each with its file', () => {
  rmSync(at('secret'));
  rmSync(at('roots.pem'));
  mkdirSync(at('roots.pem'));
  chmodSync(at('tls.key'), 0o640);
  assert.deepEqual(fileProblems(config), [
    `${at('roots.pem')}: it is a directory`,
    `${at('tls.key')} has mode 640: others could read it. Run: chmod 600 ${at('tls.key')}`,
    `${at('secret')}: there is no such file or directory`,
  ]);
});

test('what sinks read is looked at, too: each of their files once', () => {
  const sinks = `siem:
  sinks:
    - { name: es, type: elasticsearch, url: "https://es.example", apiKey: { file: ./es.key }, ca: ./es.pem }
    - { name: os, type: elasticsearch, url: "https://os.example", user: { name: a, password: { file: ./os.pw } } }
    - { name: f, type: files, path: ./events.jsonl }
    - { name: s, type: syslog, host: log.example, certificate: { file: ./s.pem, key: ./s.key } }
    - { name: sp, type: splunk, url: "https://sp.example", token: { file: ./sp.token } }
    - { name: o, type: otlp, url: "https://o.example", authorization: { file: ./o.token } }
    - { name: w, type: webhook, url: "https://w.example", secret: { file: ./w.secret } }
    - { name: k, type: kafka, brokers: ["k.example:9093"], topic: t, certificate: { file: ./k.pem, key: ./k.key }, sasl: { username: u, password: { file: ./k.pw } } }
`;
  const shipping = readDocument(gatewaySchema, `${TEXT}${sinks}`, 'gateway.yaml');
  assert.ok(shipping.ok);
  const { siem } = resolvePaths(shipping.value, directory);
  const names = ['es.pem', 's.pem', 'k.pem', 'es.key', 'os.pw', 's.key', 'sp.token', 'o.token', 'w.secret'];
  assert.deepEqual(
    fileProblems({ ...config, siem }).filter((one) => /\/(es|os|s|sp|o|w|k|events)\.[a-z]+: /.test(one)),
    [...names, 'k.key', 'k.pw'].map((name) => `${at(name)}: there is no such file or directory`),
  );
  for (const name of names.slice(0, 3)) writeFileSync(at(name), '');
  for (const name of [...names.slice(3), 'k.key', 'k.pw']) writeFileSync(at(name), 'x', { mode: 0o644 });
  const loose = fileProblems({ ...config, siem }).filter((one) => /has mode 644/.test(one));
  assert.equal(loose.length, 8, loose.join('\n'));
});

test('no gateway starts without the secret of a provider, nor with one that others can read', () => {
  const open = (): unknown => providersOf(config.identity.providers, config.portal, Date.now);
  assert.throws(open, { code: 'ENOENT' });
  writeFileSync(at('secret'), 'x', { mode: 0o644 });
  assert.throws(open, { code: 'loose-mode' });
  chmodSync(at('secret'), 0o600);
  open();
  // It would be asked as a client without a secret, and every sign-in refused.
  writeFileSync(at('secret'), '\n');
  assert.throws(open, { code: 'empty-secret', message: /secret is empty/ });
});
