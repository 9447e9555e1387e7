// The manifest of a release: the hash of every file that is shipped. It is made when the package is, and signed.
import { hash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';

/** What signatures on manifests are made for: `ssh-keygen -Y sign -n sallyport-release`. */
export const RELEASE_NAMESPACE = 'sallyport-release';
/** Where the package has its manifest; the signatures lie in a file beside it. */
export const MANIFEST = 'dist/release.json';
export const SIGNATURES = '.sig';

/** The rooms of a clone, which runs its sources. */
const ROOMS = ['bin', 'connectors', 'gateway', 'policy', 'siem'];

export interface Manifest {
  readonly version: 1;
  readonly name: string;
  /** Of the package: `0.1.0`. */
  readonly release: string;
  /** SHA-256, hex, by path from the installation's root. */
  readonly files: Readonly<Record<string, string>>;
}

const manifestShape: z.ZodType<Manifest> = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1),
  release: z.string().min(1),
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

/** A manifest's content, or undefined if it is none. */
export function readManifest(text: string): Manifest | undefined {
  try {
    return manifestShape.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The root of the installation that this very file is of: a clone, or an installed package with its `dist`. */
export function installationRoot(): string {
  const code = join(import.meta.dirname, '../..');
  return basename(code) === 'dist' ? dirname(code) : code;
}

/** Whether the program below `root` runs what was built, and not the sources. */
export function isBuilt(root: string): boolean {
  return join(import.meta.dirname, '../..') !== root;
}

/** Paths of what is shipped: of the package as npm packs it, or of a clone's rooms. Manifests are not part of themselves. */
export function shippedFiles(root: string, built: boolean): readonly string[] {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  const below = built ? files : ROOMS;
  return [...below.flatMap((one) => filesIn(root, one)), 'package.json']
    .filter((path) => path !== MANIFEST && path !== `${MANIFEST}${SIGNATURES}`)
    .sort();
}

function filesIn(root: string, path: string): string[] {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [path];
  return globSync(`${path}/**/*`, { cwd: root, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

export function hashOf(root: string, path: string): string {
  return hash('sha256', readFileSync(join(root, path)), 'hex');
}

/** The manifest of what is below `root` now. */
export function makeManifest(root: string, built: boolean): Manifest {
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const files = shippedFiles(root, built).map((path) => [path, hashOf(root, path)] as const);
  return { version: 1, name, release: version, files: Object.fromEntries(files) };
}

export function writeManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 1)}\n`;
}
