// The published package: packed, judged by publint, installed into an empty folder, and run from there.
import assert from 'node:assert/strict';
import {
  type ExecFileSyncOptionsWithStringEncoding,
  execFileSync,
  type SpawnSyncReturns,
  spawnSync,
} from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { findProgram, requires } from '../requires.ts';

const root = join(import.meta.dirname, '../..');
const NPM: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'pipe'],
  maxBuffer: 2 ** 26,
};

/** Whether a release can be signed here. */
const SSH = findProgram('ssh-keygen') !== undefined;

/** What must be in the package besides dist/, and nothing else may. */
const WITH_DIST =
  /^(bin\/sallyport\.js|package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE|docs\/.+)$/;

suite('the package', () => {
  let place = '';
  let tarball = '';
  let packed: string[] = [];
  let installed = '';

  before(() => {
    place = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
    const key = join(place, 'maker');
    if (SSH) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const report = execFileSync('npm', ['pack', '--json', '--pack-destination', place], {
      ...NPM,
      cwd: root,
      env: { ...process.env, ...(SSH ? { SALLYPORT_RELEASE_KEY: key } : {}) },
    });
    const [{ filename, files }] = JSON.parse(report.slice(report.indexOf('[')));
    tarball = join(place, filename);
    packed = files.map(({ path }: { path: string }) => path);
    const app = join(place, 'app');
    mkdirSync(app);
    writeFileSync(join(app, 'package.json'), '{"name":"empty","private":true}');
    execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
      ...NPM,
      cwd: app,
    });
    installed = join(app, 'node_modules/sallyport');
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  /** Runs the installed command as a shell would, with `path` in front and no runtime of this clone on PATH. */
  function sallyport(args: readonly string[], runtime = dirname(process.execPath)): SpawnSyncReturns<string> {
    return spawnSync(join(dirname(installed), '.bin/sallyport'), args, {
      encoding: 'utf8',
      cwd: place,
      env: { PATH: `${runtime}:/usr/bin:/bin`, HOME: place },
    });
  }

  test('holds the launcher, the build and the documents, and no source, test or state', () => {
    const wrong = packed.filter((file) => !WITH_DIST.test(file) && !/^dist\/.+/.test(file));
    assert.deepEqual(wrong, []);
    assert.deepEqual(
      packed.filter((file) => /(^|\/)(test|node_modules)\/|\.ts$|\.map$|tsconfig/.test(file)),
      ['dist/gateway/pki/verify.d.ts'],
    );
    for (const needed of [
      'bin/sallyport.js',
      'dist/bin/main.js',
      'dist/package.json',
      'LICENSE',
      'README.md',
    ]) {
      assert.ok(packed.includes(needed), `${needed} is missing`);
    }
  });

  test('is measured as it was released, until a byte of it is another', {
    skip: requires('ssh-keygen'),
  }, () => {
    const list = join(place, 'release_signers');
    writeFileSync(list, `maker ${readFileSync(join(place, 'maker.pub'), 'utf8')}`);
    const check = (): { verdict: string; changed: readonly string[]; added: readonly string[] } =>
      JSON.parse(sallyport(['release', 'check', '--signers', list, '--json']).stdout);
    assert.equal(check().verdict, 'as-released', JSON.stringify(check()));
    const file = join(installed, 'dist/gateway/flow.js');
    const before = readFileSync(file);
    writeFileSync(file, `${before}\n`);
    assert.deepEqual([check().verdict, check().changed], ['drifted', ['dist/gateway/flow.js']]);
    writeFileSync(file, before);
  });

  test('publint finds no fault', async () => {
    const bytes = readFileSync(tarball);
    const { messages, pkg } = await publint({
      strict: true,
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    });
    // publint takes `imports` of a nested package.json for dead; Node looks it up in the nearest one, and every
    // command below would fail without it.
    const worth = messages.filter(({ code }) => code !== 'NESTED_PACKAGE_JSON_FIELD_IGNORED');
    assert.deepEqual(
      worth.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  test('imports only what is built, and names no TypeScript file', () => {
    for (const file of globSync('**/*.js', { cwd: join(installed, 'dist') })) {
      const text = readFileSync(join(installed, 'dist', file), 'utf8');
      assert.doesNotMatch(text, /(from|import\(|new URL\()\s*['"][^'"]*\.ts['"]/, file);
    }
    const { imports, type } = JSON.parse(readFileSync(join(installed, 'dist/package.json'), 'utf8'));
    assert.equal(type, 'module');
    for (const target of Object.values(imports)) assert.match(String(target), /^\.\/\w+\/\*\.js$/);
  });

  test('gives back ends their check, without anything else of it', () => {
    const program = `
      import { createVerifier } from 'sallyport/verify';
      const verify = createVerifier({ issuer: 'https://a.example', audience: 'a', keys: { keys: [] } });
      await verify('x.y.z').catch(({ code }) => console.log(code));
      await import('sallyport/dist/bin/main.js').catch(({ code }) => console.log(code));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      cwd: join(place, 'app'),
    });
    assert.equal(stdout, 'malformed\nERR_PACKAGE_PATH_NOT_EXPORTED\n', stderr);
  });

  test('explains itself, every command too', () => {
    const { status, stdout, stderr } = sallyport(['--help']);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^Usage: sallyport <command>/);
    const commands = [...stdout.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name ?? '');
    assert.ok(commands.length > 2);
    for (const name of commands) {
      const help = sallyport([name, '--help']);
      assert.deepEqual([help.status, help.stderr, help.stdout !== ''], [0, '', true], name);
    }
  });

  const system = findProgram('/usr/bin/node');
  const version = system === undefined ? '' : spawnSync(system, ['--version'], { encoding: 'utf8' }).stdout;
  const old = /^v(1[89]|2[0-5])\./.test(version);
  test("runs under the system's older Node on the runtime it brought", {
    skip: !old && 'skipped: no /usr/bin/node older than 26 here',
  }, () => {
    const { status, stdout, stderr } = sallyport(['--version'], '/usr/bin');
    const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    assert.deepEqual([status, stdout, stderr], [0, `${expected}\n`, '']);
  });

  test('shows a whole installation working', () => {
    const { status, stdout, stderr } = sallyport(['demo', '--smoke']);
    assert.equal(status, 0, `${stdout}\n${stderr}`);
  });
});
