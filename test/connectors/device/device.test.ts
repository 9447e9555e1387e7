// What a person's command line keeps and how a TCP connection travels in a WebSocket, each without a gateway.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, afterEach, describe, test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import {
  CredentialsError,
  credentialsFile,
  readCredentials,
  writeCredentials,
} from '#connectors/device/credentials';
import { WebSocketPipe } from '#connectors/wire/pipe';
import { numberOf } from '#connectors/wire/terminal';

const root = mkdtempSync(join(tmpdir(), 'sallyport-device-'));
after(() => rmSync(root, { recursive: true, force: true }));

describe('credentials', () => {
  const file = credentialsFile({ XDG_CONFIG_HOME: root });
  const credentials = { portal: 'https://access.example.com', token: 't', expiresAt: 2000, name: 'Ada' };
  const code = (expected: string) => (error: Error) =>
    error instanceof CredentialsError && error.code === expected;

  test('come back as they were put, for their person only', () => {
    writeCredentials(file, credentials);
    writeCredentials(file, { ...credentials, ca: 'PEM' });
    assert.deepEqual(readCredentials(file, 1000), { ...credentials, ca: 'PEM' });
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('are never in a working directory: an XDG_CONFIG_HOME that is empty or relative is none', () => {
    for (const named of ['', 'config', './here']) {
      assert.equal(
        credentialsFile({ XDG_CONFIG_HOME: named }),
        join(homedir(), '.config/sallyport/credentials.json'),
      );
    }
    assert.equal(credentialsFile({ XDG_CONFIG_HOME: '/x' }), '/x/sallyport/credentials.json');
  });

  test('that others can read, that ran out, are incomplete or absent are refused with what to do', () => {
    writeCredentials(file, credentials);
    assert.throws(() => readCredentials(file, 2000), /run out.*sallyport login --portal https:\/\/access/);
    chmodSync(file, 0o644);
    assert.throws(() => readCredentials(file, 1000), code('loose-mode'));
    for (const text of ['', 'null', '{}', '{"portal":1}', 'not json']) {
      rmSync(file);
      writeFileSync(file, text, { mode: 0o600 });
      assert.throws(() => readCredentials(file, 1000), code('not-signed-in'), text);
    }
    assert.throws(() => readCredentials(join(root, 'nowhere'), 1000), /You are not signed in/);
  });
});

test('both sides show the same six digits for a challenge', () => {
  assert.equal(
    numberOf('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'),
    numberOf('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'),
  );
  assert.match(numberOf('x'), /^\d{3} \d{3}$/);
  assert.notEqual(numberOf('x'), numberOf('y'));
});

describe('a connection in a WebSocket', () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const step of undo.splice(0)) step();
  });

  async function pair(): Promise<{ near: Duplex; far: Duplex; raw: WebSocket }> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    undo.push(() => server.close());
    await once(server, 'listening');
    const raw = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [[ws]] = await Promise.all([once(server, 'connection'), once(raw, 'open')]);
    const [near, far] = [new WebSocketPipe(raw), new WebSocketPipe(ws)];
    for (const pipe of [near, far]) pipe.on('error', () => undefined);
    undo.push(() => raw.terminate());
    return { near, far, raw };
  }

  async function all(pipe: Duplex): Promise<string> {
    let text = '';
    pipe.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    await once(pipe, 'end');
    return text;
  }

  test('ends one direction while the other goes on', async () => {
    const { near, far } = await pair();
    near.end('a question');
    assert.equal(await all(far), 'a question');
    far.write('a long ');
    far.end('answer');
    assert.equal(await all(near), 'a long answer');
  });

  test('is closed once both directions have ended', async () => {
    const { near, far } = await pair();
    const closed = Promise.all([once(near, 'close'), once(far, 'close')]);
    near.end();
    far.end();
    near.resume();
    far.resume();
    await closed;
  });

  test('holds a writer back while nobody reads', async () => {
    const { near, far } = await pair();
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024);
    while (near.write(chunk)) written += chunk.length;
    assert.ok(written < 1024 * 1024, `${written} bytes were taken without anybody reading`);
    far.resume();
    await once(near, 'drain');
  });

  test('that breaks is an error, never an end', async () => {
    const { far, raw } = await pair();
    const failed = once(far, 'error');
    raw.terminate();
    const [error] = await failed;
    assert.match(String(error), /broke/);
  });

  for (const [name, send] of Object.entries({
    text: (ws: WebSocket) => ws.send('text'),
    'data after the end': (ws: WebSocket) => {
      ws.send(Buffer.alloc(0));
      ws.send(Buffer.from('more'));
    },
  })) {
    test(`refuses ${name}`, async () => {
      const { far, raw } = await pair();
      const failed = once(far, 'error');
      send(raw);
      assert.match(String((await failed)[0]), /broke the protocol/);
    });
  }
});
