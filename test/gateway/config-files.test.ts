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

const reading = readDocument(
  gatewaySchema,
  `version: 1
policy: ./policy.yaml
portal: https://access.example.com
tls: { certificate: ./tls.pem, key: ./tls.key }
attestation: { roots: [./roots.pem] }
identity:
  providers:
    - { id: corp, name: Corp, issuer: "https://id.example.com", clientId: x, clientSecret: { file: ./secret } }
apps: [{ id: wiki, name: Wiki, host: wiki.example.com, connectors: [rack-7] }]
`,
  'gateway.yaml',
);
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

test('no gateway starts without the secret of a provider, nor with one that others can read', () => {
  const open = (): unknown => providersOf(config.identity.providers, config.portal, Date.now);
  assert.throws(open, { code: 'ENOENT' });
  writeFileSync(at('secret'), 'x', { mode: 0o644 });
  assert.throws(open, { code: 'loose-mode' });
  chmodSync(at('secret'), 0o600);
  open();
});
