// What Sallyport is made of: nothing older than the release that mended what was published of it, everything by its hash,
// and a bill of materials that says so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { billOfMaterials, type Lock } from '#bin/sbom';
import { weaknesses } from './tables.ts';

const ROOT = join(import.meta.dirname, '../..');
const json = <T>(file: string): T => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as T;
const lock = json<Lock>('package-lock.json');
const manifest = json<{
  name: string;
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: { node: string };
  config: { patchedNode: string };
}>('package.json');

/** A release below which one of these weaknesses is in what we use. Those without one have no advisory: tested with. */
const FLOORS: readonly (readonly [name: string, oldest: string, mends?: readonly string[]])[] = [
  ['hono', '4.9.6', ['CVE-2025-58362']],
  ['hono', '4.9.7', ['CVE-2025-59139']],
  ['hono', '4.10.2', ['CVE-2025-62610']],
  ['hono', '4.11.4', ['CVE-2026-22817', 'CVE-2026-22818']],
  ['hono', '4.11.7', ['CVE-2026-24398']],
  ['hono', '4.12.2', ['CVE-2026-27700']],
  ['hono', '4.12.18', ['CVE-2026-44456', 'CVE-2026-44457']],
  ['hono', '4.12.21', ['CVE-2026-47674']],
  ['hono', '4.12.25', ['CVE-2026-54290']],
  ['hono', '4.13.0'],
  ['ws', '7.4.6', ['CVE-2021-32640']],
  ['ws', '8.17.1', ['CVE-2024-37890']],
  ['ws', '8.21.1', ['CVE-2026-45736', 'CVE-2026-48779', 'CVE-2026-62389']],
  ['undici', '5.5.1', ['CVE-2022-31150']],
  ['undici', '5.8.2', ['CVE-2022-35949']],
  ['undici', '8.12.0', ['CVE-2026-1525', 'CVE-2026-1526', 'CVE-2026-1527', 'CVE-2026-1528', 'CVE-2026-2229']],
  ['undici', '8.12.0', ['CVE-2026-22036', 'GHSA-3wwx-pv8p-q78v']],
  ['openid-client', '6.8.0'],
  ['jose', '6.2.0'],
  ['ioredis', '6.0.0'],
  ['yaml', '2.9.0'],
  ['zod', '4.6.0'],
  ['pino', '10.0.0'],
  ['@elastic/ecs-pino-format', '1.5.0'],
  ['bufferutil', '4.1.0'],
];
/** What runs us, for development and tests, and the release that a gateway in production is told to have. */
const NODE = '26.10.0';
const PATCHED_NODE = '26.12.1';

function notBefore(version: string, oldest: string): boolean {
  const [a, b] = [version, oldest].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 3; part += 1) {
    const difference = (a?.[part] ?? 0) - (b?.[part] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

test('no dependency, and no runtime, is older than the release that mended it', () => {
  for (const [name, oldest, mends = []] of FLOORS) {
    // What is locked, in every place where the tree has a copy of its own, and what is there.
    const copies = Object.keys(lock.packages).filter(
      (path) => path.endsWith(`node_modules/${name}`) && lock.packages[path]?.dev !== true,
    );
    assert.ok(copies.length > 0, `${name} is not installed`);
    for (const path of copies) {
      const { version = '0.0.0' } = lock.packages[path] ?? {};
      assert.ok(notBefore(version, oldest), `${path} ${version} is older than ${oldest}: ${mends}`);
    }
    const { version } = json<{ version: string }>(`node_modules/${name}/package.json`);
    assert.ok(notBefore(version, oldest), `${name} ${version} is installed, older than ${oldest}: ${mends}`);
  }
  assert.ok(notBefore(process.versions.node, NODE), `Node ${process.versions.node}`);
});

test('every dependency at run time has an oldest release, pinned exactly; there are at most fifteen', () => {
  const floors = new Set(FLOORS.map(([name]) => name));
  for (const [name, wanted] of Object.entries(manifest.dependencies)) {
    assert.ok(floors.has(name), `${name} has no oldest release`);
    assert.match(wanted, /^\d+\.\d+\.\d+$/, name);
  }
  assert.ok(Object.keys(manifest.dependencies).length <= 15);
});

test('every weakness that an oldest release mends is tried too', () => {
  const rows = weaknesses().flatMap((one) => one.weaknesses);
  const listed = new Set(rows.flatMap(({ seen }) => seen.split(', ')));
  for (const [name, oldest, mends = []] of FLOORS) {
    for (const id of mends) assert.ok(listed.has(id), `${id}, mended by ${name} ${oldest}, is in no row`);
  }
});

test('the launcher tells a gateway of a runtime older than the release that mended it', () => {
  assert.equal(manifest.config.patchedNode, PATCHED_NODE);
  assert.ok(notBefore(PATCHED_NODE, manifest.optionalDependencies.node));
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
