// Bodies that do not come, on the listener of people: a stranger's keeps no place, that of somebody who was let through does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { peopleListener } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { listening } from './listening.ts';

const ROOM = 3;
const BODY = 'POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n';

/** A listener with little room, whose requests are let through or not, and what connects to it. */
async function comers(t: TestContext, admitted: boolean): Promise<() => Promise<TLSSocket>> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bodies-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const { server } = peopleListener(
    await issueCertificate(authority, ['localhost']),
    { connections: ROOM, perAddress: ROOM },
    {
      take: ({ request, response, admitted: admit }) => {
        if (admitted) admit?.();
        response.writeEarlyHints({ link: '</a>; rel=preload' });
        request.on('error', () => {}).on('end', () => response.end('done'));
        request.resume();
      },
      unparsable: (socket) => void socket.destroy(),
    },
  );
  const port = await listening(t, server);
  return async () => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.certificate });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
    return socket;
  };
}

/** Whoever takes all the room with requests whose body does not come, each of them taken. */
async function crowded(come: () => Promise<TLSSocket>): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  for (let i = 0; i < ROOM; i += 1) {
    const socket = await come();
    sockets.push(socket);
    socket.write(BODY);
    // The hints say that the request was taken.
    await once(socket, 'data');
  }
  return sockets;
}

test('strangers whose bodies do not come give way to whoever comes', async (t) => {
  const come = await comers(t, false);
  const [first] = await crowded(come);
  const honest = await come();
  assert.equal(honest.destroyed, false);
  honest.write(`${BODY}hello`);
  honest.on('data', (bytes: Buffer) => {
    if (bytes.includes('done')) honest.emit('done');
  });
  await once(honest, 'done');
  if (first?.destroyed === false) await once(first, 'close');
});

test('an upload of somebody who was let through keeps its place, and is answered', async (t) => {
  const come = await comers(t, true);
  const [first] = await crowded(come);
  assert.ok(first !== undefined);
  const late = await come();
  if (!late.destroyed) await once(late, 'close');
  first.on('data', (bytes: Buffer) => {
    if (bytes.includes('done')) first.emit('done');
  });
  first.write('hello');
  await once(first, 'done');
  // Answered, it waits like everybody else, and gives way.
  const honest = await come();
  assert.equal(honest.destroyed, false);
});
