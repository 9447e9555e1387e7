// What a gateway says once it serves: every listener that it has, by the port that it got.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GOOD } from '../gateway/config-document.ts';

const MAIN = fileURLToPath(new URL('../../bin/main.ts', import.meta.url));
const LISTENERS = ['people', 'connectors', 'health', 'services'];

/** The first lines of what a gateway with all its listeners says. */
async function said(t: TestContext, lines: number, ...more: readonly string[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ready-'));
  writeFileSync(join(directory, 'secret'), 'secret', { mode: 0o600 });
  writeFileSync(
    join(directory, 'policy.yaml'),
    `version: 1
apps: [wiki]
rules: [{ id: staff, allow: wiki, who: corp:staff }]
tests: [{ name: staff, app: wiki, groups: corp:staff, expect: allow }]
`,
  );
  const at = '127.0.0.1:0';
  const listen = `listen: { people: "${at}", connectors: "${at}", health: "${at}" }\n`;
  writeFileSync(join(directory, 'gateway.yaml'), `${GOOD}${listen}services: { listen: "${at}" }\n`);
  const child = spawn(process.execPath, [MAIN, 'gateway', '--config', 'gateway.yaml', ...more], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  const found: string[] = [];
  for await (const line of createInterface(child.stdout)) if (found.push(line) === lines) break;
  return found;
}

test('as JSON, each of its ports', async (t) => {
  const [line = ''] = await said(t, 1, '--json');
  const { ready, ...ports } = JSON.parse(line);
  assert.equal(ready, true);
  assert.deepEqual(Object.keys(ports), LISTENERS);
  for (const port of Object.values(ports)) {
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
  }
});

test('in words, where each of them is', async (t) => {
  const lines = await said(t, 5);
  const at = lines.slice(1).map((line) => line.replace(/^(\S+).* 127\.0\.0\.1:[1-9]\d*$/, '$1'));
  assert.deepEqual(at, ['people', 'connectors', 'services', 'health,']);
});

test('nothing, and goes on starting, when it is told to load the policy anew', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ready-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  // A state that is long in coming.
  const redis = createServer();
  await once(redis.listen(0, '127.0.0.1'), 'listening');
  const { port } = redis.address() as AddressInfo;
  writeFileSync(join(directory, 'state-secret'), 'x'.repeat(32), { mode: 0o600 });
  writeFileSync(join(directory, 'policy.yaml'), 'version: 1\n');
  const state = `state: { kind: redis, secret: { file: ./state-secret }, redis: { server: "127.0.0.1:${port}" } }`;
  writeFileSync(join(directory, 'gateway.yaml'), `${GOOD}${state}\n`);
  const child = spawn(process.execPath, [MAIN, 'gateway', '--config', 'gateway.yaml'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const [socket] = (await once(redis, 'connection')) as [Socket];
  child.kill('SIGHUP');
  redis.on('connection', (one: Socket) => one.destroy()).close();
  socket.destroy();
  let words = '';
  for await (const chunk of child.stderr) words += chunk;
  assert.deepEqual(await ended, [1, null]);
  assert.match(words, /not started\. .*Redis/);
});
