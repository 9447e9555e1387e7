// The first minute with Sallyport: `npm start` shows itself working, stops everything at Ctrl-C, and leaves nothing.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { requires } from '../requires.ts';
import { ROOT } from './installation.ts';
import { type Ended, until } from './part.ts';

interface Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  output(): string;
}

/** A command in a process group of its own, as a shell starts what it runs in the foreground. */
function foreground(command: string, ...args: readonly string[]): Demo {
  const child = spawn(command, args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return { child, ended, output: () => output };
}

/** A line of shell that the demo printed for people to use, run as it was printed. */
function asPrinted(line: string): string {
  const { stdout, stderr } = spawnSync('sh', ['-c', line], { cwd: ROOT, encoding: 'utf8', timeout: 30_000 });
  return stdout + stderr;
}

/** Processes that work in `directory`, or did before it was removed. */
function livingIn(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
      } catch {
        // It ended while we looked, or is not ours.
        return false;
      }
    });
}

test('npm start -- --smoke --json shows an allow, a deny and both events, and exits 0', {
  timeout: 120_000,
}, async () => {
  const demo = foreground('npm', 'start', '--', '--smoke', '--json');
  assert.deepEqual(await demo.ended, { code: 0, signal: null }, demo.output());
  const line =
    demo
      .output()
      .split('\n')
      .find((text) => text.startsWith('{')) ?? '';
  const { name, machine, versions, figures } = JSON.parse(line);
  assert.equal(name, 'smoke');
  assert.ok(machine.length > 0 && versions.node.length > 0);
  assert.deepEqual([figures.allow, figures.deny], [200, 403]);
  assert.ok(figures.events > 0 && figures.events_valid === figures.events);
  assert.ok(figures.ready_s > 0);
});

/** npm ends by the signal that its script was sent, whatever that ended with; our launcher tells its own code. */
const WAYS = {
  'Ctrl-C in npm start': ['SIGINT', { code: null, signal: 'SIGINT' }, ['npm', 'start', '--']],
  'SIGTERM to sallyport demo': [
    'SIGTERM',
    { code: 0, signal: null },
    [process.execPath, 'bin/sallyport.js', 'demo'],
  ],
} as const;

for (const [way, [signal, expected, [command, ...args]]] of Object.entries(WAYS)) {
  test(`${way} stops all of it and removes its directory`, {
    skip: (!existsSync('/proc/self/cwd') && 'skipped: no /proc') || requires('curl'),
    timeout: 120_000,
  }, async (t) => {
    const demo = foreground(command, ...args, '--port', '0');
    const group = demo.child.pid ?? assert.fail('no process');
    t.after(
      () => demo.child.exitCode === null && demo.child.signalCode === null && process.kill(-group, 'SIGKILL'),
    );
    const [, directory = ''] = await until('the demo is up', () => {
      if (demo.child.exitCode !== null) assert.fail(demo.output());
      return /Ctrl-C stops everything and removes (\S+)\./.exec(demo.output());
    });
    const printed = demo.output();
    assert.match(printed, /"action":"access-allowed"/);
    assert.match(printed, /"action":"access-denied"/);
    const [ada = '', ben = ''] = [...printed.matchAll(/curl --cacert .*/g)].map(([line]) => line);
    assert.match(asPrinted(`${ada} -s`), /Ada Ferrara/);
    assert.match(asPrinted(`${ben} -s`), /access-denied/);
    assert.match(asPrinted(/npx sallyport why .*/.exec(printed)?.[0] ?? ''), /support-notes/);
    assert.ok(livingIn(directory).length >= 2, 'gateway and connector work there');

    // Somebody has the page open, whose event stream would go on for ever, and is impatient.
    const listener = foreground('sh', '-c', /curl .*-N .*/.exec(printed)?.[0] ?? '');
    await until('the first event', () => listener.output().includes('data:'));
    process.kill(-group, signal);
    await sleep(300);
    process.kill(-group, signal);
    assert.deepEqual(await demo.ended, expected, demo.output().slice(printed.length));
    assert.match(demo.output().slice(printed.length), /^\nStopping …\n$/, 'and says no more');
    await listener.ended;
    assert.equal(existsSync(directory), false);
    assert.deepEqual(livingIn(directory), []);
  });
}

test('whose reader goes away leaves nothing behind either', {
  skip: !existsSync('/proc/self/cwd') && 'skipped: no /proc',
  timeout: 60_000,
}, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-reader-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const line = `TMPDIR=${place} ${process.execPath} bin/sallyport.js demo --port 0 | head -1`;
  assert.match(asPrinted(line), /^Starting a gateway/);
  await until('all of it is gone', () => livingIn(place).length === 0 && readdirSync(place).length === 0);
});
