// What Sallyport is made of: nothing older than the release that mended what was published of it, everything by its hash,
// and a bill of materials that says so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { billOfMaterials, type Lock } from '#bin/sbom';

const ROOT = join(import.meta.dirname, '../..');
const json = <T>(file: string): T => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as T;
const lock = json<Lock>('package-lock.json');
const manifest = json<{ name: string; version: string; dependencies: Record<string, string> }>(
  'package.json',
);

/** The oldest release of each that has none of the weaknesses published so far, as far as they touch what we use. */
const OLDEST: Readonly<Record<string, string>> = {
  node: '26.10.0',
  ws: '8.21.1',
  undici: '8.12.0',
  hono: '4.13.0',
  'openid-client': '6.8.0',
  jose: '6.2.0',
  ioredis: '6.0.0',
  yaml: '2.9.0',
  zod: '4.6.0',
  '@peculiar/x509': '2.2.0',
};

function notBefore(version: string, oldest: string): boolean {
  const [a, b] = [version, oldest].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 3; part += 1) {
    const difference = (a?.[part] ?? 0) - (b?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

test('no dependency, and no runtime, is older than the release that mended it', () => {
  for (const [name, oldest] of Object.entries(OLDEST)) {
    const { version = '0.0.0' } = lock.packages[`node_modules/${name}`] ?? {};
    assert.ok(notBefore(version, oldest), `${name} ${version} is older than ${oldest}`);
  }
  assert.ok(notBefore(process.versions.node, OLDEST['node'] ?? ''), `Node ${process.versions.node}`);
  assert.ok(Object.keys(manifest.dependencies).length <= 15, 'at most fifteen dependencies at run time');
});

test('everything that is installed with the package is on the bill, with its hash, and nothing else is', () => {
  const bill = billOfMaterials(manifest.name, manifest.version, lock) as {
    bomFormat: string;
    components: { name: string; purl: string; hashes: { alg: string; content: string }[]; scope: string }[];
  };
  assert.equal(bill.bomFormat, 'CycloneDX');
  const names = new Set(bill.components.map(({ name }) => name));
  for (const name of Object.keys(manifest.dependencies)) assert.ok(names.has(name), name);
  assert.ok(!names.has('typescript') && !names.has('fast-check'), 'tools for development are not shipped');
  for (const { name, hashes, purl } of bill.components) {
    assert.match(purl, /^pkg:npm\/(?:%40[\w.-]+\/)?[\w.-]+@\d/, name);
    assert.match(hashes[0]?.content ?? '', /^[0-9a-f]{128}$/, `${name} has no SHA-512`);
  }
  assert.equal(new Set(bill.components.map(({ purl }) => purl)).size, bill.components.length, 'each once');
  assert.deepEqual(
    bill,
    billOfMaterials(manifest.name, manifest.version, lock),
    'the same lock, the same bill',
  );
});
