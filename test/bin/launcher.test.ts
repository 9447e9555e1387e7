// The launcher: which runtime and which entry it picks, and that signals and exit codes come through.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { findProgram } from '../requires.ts';

const root = join(import.meta.dirname, '../..');
const places: string[] = [];
after(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

/** What the launched program reports, and how it ends: as its first argument asks. */
const REPORT = `
process.on('SIGTERM', () => process.exit(42));
process.on('SIGHUP', () => process.exit(43));
process.on('SIGINT', () => process.exit(44));
console.log(JSON.stringify({ which: WHICH, pid: process.pid, flags: process.execArgv,
  args: process.argv.slice(2), file: process.argv[1], version: process.versions.node }));
if (process.argv[2] === 'exit') process.exit(Number(process.argv[3]));
if (process.argv[2] === 'kill') process.kill(process.pid, 'SIGKILL');
if (process.argv[2] === 'wait') setInterval(() => {}, 1000);
`;

/** A folder that looks like a clone or a package, with the real launcher and a program that only reports. */
function layout(kind: 'clone' | 'package', floor = '26.0.0'): string {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-launcher-'));
  places.push(place);
  mkdirSync(join(place, 'bin'));
  mkdirSync(join(place, 'dist/bin'), { recursive: true });
  mkdirSync(join(place, 'path'));
  const manifest = { name: 'sallyport', type: 'module', config: { patchedNode: floor } };
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
  copyFileSync(join(root, 'bin/sallyport.js'), join(place, 'bin/sallyport.js'));
  writeFileSync(join(place, 'dist/bin/main.js'), `const WHICH = 'build';${REPORT}`);
  if (kind === 'clone') {
    writeFileSync(join(place, 'bin/main.ts'), `const WHICH: string = 'sources';${REPORT}`);
  }
  // Loaded first, this makes the launcher believe that it runs on an old Node, which has no execve.
  writeFileSync(
    join(place, 'old.mjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });
process.execve = undefined;\n`,
  );
  return place;
}

const OLD = (place: string): string[] => ['--import', join(place, 'old.mjs')];

function launch(place: string, flags: readonly string[], args: readonly string[], path = ''): ChildProcess {
  return spawn(process.execPath, [...flags, join(place, 'bin/sallyport.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: path },
  });
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ended(child: ChildProcess, onFirst?: () => void): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    if (stdout === '') onFirst?.();
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  const [code, signal] = await once(child, 'close');
  return { code, signal, stdout, stderr };
}

/** Gives `place` a `node` package with this test's runtime as its binary. */
function withPackagedRuntime(place: string): string {
  const bin = join(place, 'node_modules/node/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, '../package.json'), JSON.stringify({ name: 'node', bin: { node: 'bin/node' } }));
  symlinkSync(process.execPath, join(bin, 'node'));
  return place;
}

const BOTH = ['--initial-old-space-size=512', '--external-memory-accounted-in-global-limit'];

suite('on a runtime that is new enough', () => {
  test('it becomes the program, in the same process, with the heap limits in argv', async () => {
    const place = layout('clone');
    const child = launch(place, ['--no-warnings'], ['exit', '7', '--a', 'b c']);
    const { code, stdout, stderr } = await ended(child);
    const { pid, flags, args, which } = JSON.parse(stdout);
    assert.deepEqual(
      { code, stderr, pid, flags, args, which },
      {
        ...{ code: 7, stderr: '', pid: child.pid, flags: ['--no-warnings', ...BOTH] },
        ...{ args: ['exit', '7', '--a', 'b c'], which: 'sources' },
      },
    );
  });

  test('it starts nothing when the limits are there, and leaves a limit that somebody chose', async () => {
    const chosen = ['--initial-old-space-size=64', '--external-memory-accounted-in-global-limit'];
    const { code, stdout } = await ended(launch(layout('clone'), chosen, ['exit', '0']));
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout).flags, chosen);
  });

  test('a package runs its build, a clone its sources even with a build beside them', async () => {
    const fromPackage = await ended(launch(layout('package'), BOTH, ['exit', '0']));
    const fromClone = await ended(launch(layout('clone'), BOTH, ['exit', '0']));
    assert.equal(JSON.parse(fromPackage.stdout).which, 'build');
    assert.equal(JSON.parse(fromClone.stdout).which, 'sources');
  });

  test('a gateway, and nothing else, is warned when the runtime lacks fixes', async () => {
    const place = layout('clone', '99.1.2');
    const gateway = await ended(launch(place, [], ['gateway']));
    assert.match(
      gateway.stderr,
      /^sallyport: WARNING: Node [\d.]+ has published weaknesses that 99\.1\.2 mended\.\nsallyport: WARNING: [^\n]+\n$/,
    );
    assert.equal((await ended(launch(place, [], ['demo']))).stderr, '');
    assert.equal((await ended(launch(layout('clone'), [], ['gateway']))).stderr, '');
  });
});

suite('on an old runtime', () => {
  test('it uses the runtime of the npm package', async () => {
    const place = withPackagedRuntime(layout('package'));
    const child = launch(place, OLD(place), ['exit', '9']);
    const { code, stdout, stderr } = await ended(child);
    const { flags, which, pid } = JSON.parse(stdout);
    assert.deepEqual({ code, stderr, flags, which }, { code: 9, stderr: '', flags: BOTH, which: 'build' });
    assert.notEqual(pid, child.pid);
  });

  test('without the package it searches PATH, past runtimes that are old or broken', async () => {
    const place = layout('clone');
    for (const [name, script] of Object.entries({ aged: 'echo v18.3.0', broken: 'exit 1' })) {
      mkdirSync(join(place, name));
      writeFileSync(join(place, name, 'node'), `#!/bin/sh\n${script}\n`);
      chmodSync(join(place, name, 'node'), 0o755);
    }
    // Not the very file that runs the launcher, which it has ruled out already.
    writeFileSync(join(place, 'path/node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`);
    chmodSync(join(place, 'path/node'), 0o755);
    const path = ['aged', 'broken', 'path'].map((name) => join(place, name)).join(':');
    const { code, stdout } = await ended(launch(place, OLD(place), ['exit', '3'], path));
    assert.equal(code, 3);
    assert.deepEqual(JSON.parse(stdout).flags, BOTH);
  });

  test('with none it says what is missing, where it looked and how to get it, and ends with 69', async () => {
    const place = layout('clone');
    writeFileSync(join(place, 'path/node'), '#!/bin/sh\necho v18.3.0\n');
    chmodSync(join(place, 'path/node'), 0o755);
    // A relative entry is the folder somebody stands in: a `node` there must not be run.
    const { code, stdout, stderr } = await ended(launch(place, OLD(place), ['--help'], `.:${place}/path`));
    assert.equal(code, 69);
    assert.equal(stdout, '');
    assert.match(stderr, /^sallyport: needs Node 26 or newer, and this is Node 20\.1\.0\.$/m);
    assert.match(stderr, /the npm package `node`.*: not installed$/m);
    assert.match(stderr, /path\/node: is 18\.3\.0$/m);
    assert.match(stderr, /: npm ci$/m);
    const packaged = layout('package');
    const { stderr: advice } = await ended(launch(packaged, OLD(packaged), ['--help']));
    assert.match(advice, /: npm install --include=optional sallyport$/m);
  });

  test('a runtime package whose binary was never fetched is named', async () => {
    const place = layout('package');
    mkdirSync(join(place, 'node_modules/node'), { recursive: true });
    writeFileSync(join(place, 'node_modules/node/package.json'), '{"name":"node","bin":{"node":"bin/node"}}');
    const { code, stderr } = await ended(launch(place, OLD(place), []));
    assert.equal(code, 69);
    assert.match(stderr, /node_modules\/node\/bin\/node: does not start$/m);
  });

  for (const [signal, answer] of [
    ['SIGTERM', 42],
    ['SIGHUP', 43],
    ['SIGINT', 44],
  ] as const) {
    test(`${signal} reaches the program, and its exit code comes back`, async () => {
      const place = withPackagedRuntime(layout('clone'));
      const child = launch(place, OLD(place), ['wait']);
      const { code, signal: by } = await ended(child, () => child.kill(signal));
      assert.deepEqual({ code, by }, { code: answer, by: null });
    });
  }

  test('a program that dies by a signal takes the launcher with it by the same signal', async () => {
    const place = withPackagedRuntime(layout('clone'));
    const { code, signal } = await ended(launch(place, OLD(place), ['kill']));
    assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' });
  });
});

/** A real Node older than 26 outside this repository, as many machines have it. */
const system = findProgram('/usr/bin/node');
const systemVersion =
  system === undefined ? '' : spawnSync(system, ['--version'], { encoding: 'utf8' }).stdout;
const old = /^v(1[89]|2[0-5])\./.test(systemVersion) ? system : undefined;

test("a real older Node starts this clone on the clone's own runtime", {
  skip: old === undefined && 'skipped: no /usr/bin/node older than 26 here',
}, () => {
  const file = join(root, 'bin/sallyport.js');
  const { status, stdout, stderr } = spawnSync(old ?? '', [file, '--version'], { encoding: 'utf8', env: {} });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});
