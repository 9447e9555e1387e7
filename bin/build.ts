// Emits dist/ for the published package: JavaScript by tsc, plus what tsc leaves out. Never used by a clone.
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import {
  MANIFEST,
  makeManifest,
  writeManifest as manifestText,
  RELEASE_NAMESPACE,
  SIGNATURES,
} from '#gateway/release/manifest';
import { billOfMaterials } from './sbom.ts';
import { sshSign } from './ssh-keygen.ts';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');
const rooms = ['bin', 'connectors', 'gateway', 'policy', 'siem'];

/** What other programs import from the package: the one part of it that has declarations. */
const LIBRARY = ['gateway/pki/verify.ts'];

/** Compiles the rooms without their tests, and the declarations of what is a library. */
function compile(): void {
  tsc({ declaration: false, isolatedDeclarations: false }, { include: rooms.map((room) => `../${room}`) });
  tsc({ emitDeclarationOnly: true }, { files: LIBRARY.map((file) => `../${file}`), include: [] });
}

function tsc(options: object, chosen: object): void {
  const config = join(dist, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions: {
        rootDir: '..',
        outDir: '.',
        noEmitOnError: true,
        ...options,
      },
      exclude: ['../bin/build.ts', '../bin/sbom.ts'],
      ...chosen,
    }),
  );
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', config], { stdio: 'inherit' });
  rmSync(config);
  if (status !== 0) {
    process.stderr.write('build: tsc found the errors above, so nothing was built\n');
    process.exit(1);
  }
}

/** tsc rewrites `./x.ts` in imports but not in `new URL('./x.ts', import.meta.url)`, which names workers. */
function renameInUrls(): void {
  for (const file of globSync('**/*.js', { cwd: dist })) {
    const path = join(dist, file);
    const before = readFileSync(path, 'utf8');
    const after = before.replace(
      /(new URL\(\s*['"]\.{1,2}\/[^'"]+)\.ts(['"],\s*import\.meta\.url)/g,
      '$1.js$2',
    );
    if (after !== before) writeFileSync(path, after);
  }
}

/** Styles, templates and tables that lie beside the code which reads them. */
function copyAssets(): void {
  for (const room of rooms) {
    for (const entry of globSync(`${room}/**/*`, { cwd: root, withFileTypes: true })) {
      if (!entry.isFile() || /\.(ts|js|md)$/.test(entry.name)) continue;
      const from = join(entry.parentPath, entry.name);
      const to = join(dist, from.slice(root.length));
      mkdirSync(dirname(to), { recursive: true });
      cpSync(from, to);
    }
  }
}

/** Its own package.json gives dist/ the same subpath imports, so none needs a condition that could misfire. */
function writeManifest(): void {
  const manifest: { name: string; version: string; imports: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const imports = Object.entries(manifest.imports)
    .filter(([name]) => rooms.some((room) => name === `#${room}/*`))
    .map(([name, target]) => [name, target.replace(/\.ts$/, '.js')]);
  const text = {
    name: manifest.name,
    version: manifest.version,
    private: true,
    type: 'module',
    imports: Object.fromEntries(imports),
  };
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(text, null, 2)}\n`);
}

/** What is installed with the package, for whoever must know. */
function writeBillOfMaterials(): void {
  const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const { name, version } = read('package.json');
  const bill = billOfMaterials(name, version, read('package-lock.json'));
  writeFileSync(join(dist, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
}

/** What `sallyport release check` compares with. Signed here, since packing builds anew. */
function writeRelease(): void {
  const text = manifestText(makeManifest(root, true));
  writeFileSync(join(root, MANIFEST), text);
  const key = process.env['SALLYPORT_RELEASE_KEY'];
  if (key !== undefined)
    writeFileSync(join(root, `${MANIFEST}${SIGNATURES}`), sshSign(key, RELEASE_NAMESPACE, text));
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
compile();
renameInUrls();
copyAssets();
writeManifest();
writeBillOfMaterials();
writeRelease();
