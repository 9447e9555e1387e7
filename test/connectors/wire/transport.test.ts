// What a session is handed from a WebSocket over TLS: messages that wait keep no others in memory.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { FRAME_HEADER, MAX_DATA, WEBSOCKET_OPTIONS } from '#connectors/wire/limits';
import { overWebSocket } from '#connectors/wire/transport';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

const MESSAGES = 64;

test('a message that waits keeps little more than itself', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-transport-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(directory, 'Test', Date.now);
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const server = createServer({ cert, key });
  const accepting = new WebSocketServer({ server, ...WEBSOCKET_OPTIONS });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const sender = new WebSocket(`wss://localhost:${port}`, {
    ca: authority.certificate,
    ...WEBSOCKET_OPTIONS,
  });
  t.after(() => sender.terminate());
  const [accepted] = (await once(accepting, 'connection')) as [WebSocket];
  t.after(() => accepted.terminate());
  const waiting: Buffer[] = [];
  const all = new Promise<void>((resolve) => {
    overWebSocket(accepted).attach(
      (bytes) => {
        if (waiting.push(bytes) === MESSAGES) resolve();
      },
      () => undefined,
    );
  });
  await once(sender, 'open');
  for (let sent = 0; sent < MESSAGES; sent += 1) sender.send(Buffer.alloc(FRAME_HEADER + MAX_DATA));
  await all;
  const bytes = waiting.reduce((sum, { length }) => sum + length, 0);
  const kept = [...new Set(waiting.map(({ buffer }) => buffer))].reduce(
    (sum, { byteLength }) => sum + byteLength,
    0,
  );
  assert.ok(kept < 1.1 * bytes, `${kept} bytes are kept for ${bytes}`);
  // Where only one of several waits.
  for (const { buffer, length } of waiting)
    assert.ok(buffer.byteLength < length + 1024, `${buffer.byteLength}`);
});
