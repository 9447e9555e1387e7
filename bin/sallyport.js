#!/usr/bin/env node
// Finds a runtime new enough for Sallyport and hands over to it; it must never hold product code, print a
// secret, or start itself again (it starts bin/main, so it cannot loop). Plain JavaScript for Node 18 and later.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as os } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 26;
/** EX_UNAVAILABLE of sysexits.h: no runtime to run on. */
const EXIT_NO_RUNTIME = 69;
/**
 * Heap limits that only work from argv (NODE_OPTIONS and v8.setFlagsFromString come too late): without them
 * Node counts every request body against a small young heap and spends half its time collecting.
 */
const HEAP_FLAGS = ['--initial-old-space-size=512', '--external-memory-accounted-in-global-limit'];
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

const here = dirname(realpathSync(fileURLToPath(import.meta.url)));
const root = dirname(here);
const args = process.argv.slice(2);

/** A clone runs its sources, so an old build is never run by mistake; a package holds only dist/. */
const entry = existsSync(join(here, 'main.ts')) ? join(here, 'main.ts') : join(root, 'dist/bin/main.js');

/** The runtime's version as numbers, or undefined when `file` is no runtime that starts here. */
function versionOf(file) {
  const { status, stdout } = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const match = status === 0 ? /^v(\d+)\.(\d+)\.(\d+)\s*$/.exec(stdout) : null;
  return match === null ? undefined : match.slice(1).map(Number);
}

/** The binary of the `node` npm package installed with this one; undefined when it was left out. */
function packagedRuntime() {
  try {
    const manifest = createRequire(join(root, 'package.json')).resolve('node/package.json');
    return join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.node);
  } catch {
    return undefined;
  }
}

/** Every executable `node` on PATH, in order, without duplicates. */
function runtimesOnPath() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const found = new Set();
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    // An empty or relative entry means the current folder, where anyone may have put a `node`.
    if (!folder.startsWith('/') && process.platform !== 'win32') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      found.add(realpathSync(join(folder, name)));
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  found.delete(realpathSync(process.execPath));
  return [...found];
}

const own = process.versions.node.split('.').map(Number);

/** The first runtime that is new enough, or the lines that say where we looked and what was there. */
function findRuntime() {
  if (own[0] >= NEEDED_MAJOR) return { file: process.execPath, version: own, flags: process.execArgv };
  const looked = [];
  const packaged = packagedRuntime();
  if (packaged === undefined) looked.push('the npm package `node`, which brings one: not installed');
  for (const file of [...(packaged === undefined ? [] : [packaged]), ...runtimesOnPath()]) {
    const version = versionOf(file);
    if (version !== undefined && version[0] >= NEEDED_MAJOR) return { file, version, flags: [] };
    looked.push(`${file}: ${version === undefined ? 'does not start' : `is ${version.join('.')}`}`);
  }
  return { looked };
}

function say(text) {
  // Written at once: a stream would still hold the text when another program takes this process over.
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody listens on stderr: the exit code still tells.
  }
}

function explainMissing(looked) {
  const clone = entry.endsWith('.ts');
  say(`sallyport: needs Node ${NEEDED_MAJOR} or newer, and this is Node ${process.versions.node}.`);
  for (const line of looked) say(`  looked at ${line}`);
  say(
    clone
      ? '  To get it, let npm install the runtime this clone pins: npm ci'
      : '  To get it, reinstall with the runtime this package brings: npm install --include=optional sallyport',
  );
  say(`  or install Node ${NEEDED_MAJOR} from your system or nodejs.org and put it on PATH.`);
}

/** A gateway faces the network: say so, loudly, when its runtime has weaknesses that a later release mended. */
function warnIfUnpatched(version) {
  const { patchedNode } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).config;
  const patched = patchedNode.split('.').map(Number);
  const differs = patched.findIndex((part, index) => part !== version[index]);
  if (differs < 0 || version[differs] > patched[differs]) return;
  say(`sallyport: WARNING: Node ${version.join('.')} has published weaknesses that ${patchedNode} mended.`);
  say(
    'sallyport: WARNING: In production put that release or a later one on PATH and start the gateway with it.',
  );
}

/** Runs `file` as a child, with our input and output, and ends as it ends. */
function runAsChild(file, argv) {
  const child = spawn(file, argv, { stdio: 'inherit' });
  // A terminal sends Ctrl-C to every process in its foreground, the child included: a second copy from here
  // would look like an impatient second Ctrl-C.
  const terminal = isatty(0) || isatty(1) || isatty(2);
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      if (!(terminal && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child.kill(signal);
    });
  }
  child.once('error', (error) => {
    say(`sallyport: cannot start ${file}: ${error.message}`);
    process.exit(EXIT_NO_RUNTIME);
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Only reached when the signal does not end a Node process: tell as a shell would.
    setTimeout(() => process.exit(128 + os.signals[signal]), 100);
  });
}

const runtime = findRuntime();
if (runtime.looked !== undefined) {
  explainMissing(runtime.looked);
  process.exit(EXIT_NO_RUNTIME);
}
const serves = args[0] === 'gateway' && !args.includes('--help') && !args.includes('-h');
if (serves) warnIfUnpatched(runtime.version);

const missing = HEAP_FLAGS.filter((flag) => {
  const name = flag.split('=')[0];
  return !runtime.flags.some((given) => given.split('=')[0] === name);
});
if (runtime.file === process.execPath && missing.length === 0) {
  process.argv[1] = entry;
  await import(pathToFileURL(entry).href);
} else {
  const argv = [...runtime.flags, ...missing, entry, ...args];
  // execve leaves one process, which then gets every signal itself; where it is absent, a parent stays.
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(runtime.file, [runtime.file, ...argv], process.env);
  } else {
    runAsChild(runtime.file, argv);
  }
}
