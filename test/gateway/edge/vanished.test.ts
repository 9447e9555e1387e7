// Connections whose other end is gone: told from the kernel's own tables, and never confused with slow readers.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { keyOf, Vanished } from '#gateway/edge/vanished';

class Line extends EventEmitter {
  readonly localPort = 8443;
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;
  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

const LITTLE = endianness() === 'LE' ? false : 'the table is that of a little-endian machine';

/** One row of the table: connection of `remote` to port 8443, with its counts. */
function row(remote: string, again: number, probes: number): string {
  const hex = again.toString(16).toUpperCase().padStart(8, '0');
  return `   3: 0100007F:20FB ${remote} 01 00000220:00000000 01:00000039 ${hex}     0        ${probes} 5512 2 0000 21 4 24 10 -1\n`;
}

test('what is sent in vain for 15 s is closed, and nothing else', { skip: LITTLE }, async () => {
  let now = 0;
  let table = '';
  const sockets: Line[] = [];
  const vanished = new Vanished({
    clock: () => now,
    sockets: () => sockets as Iterable<unknown> as Iterable<Socket>,
    tables: async () => table,
  });
  const server = new EventEmitter();
  vanished.attend(server as Server);
  const gone = new Line('10.1.2.3', 40_001);
  const slow = new Line('::ffff:10.1.2.4', 40_002);
  const stuck = new Line('2001:db8::1:2', 40_003);
  const lossy = new Line('10.1.2.5', 40_004);
  const fine = new Line('10.1.2.6', 40_005);
  sockets.push(gone, slow, stuck, lossy, fine);
  for (let look = 0; look < 5; look += 1) {
    table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n',
      row('0302010A:9C41', 3 + look, 0),
      // Bytes wait, but each probe of the closed window is answered.
      row('0000000000000000FFFF00000402010A:9C42', 0, 0),
      // A closed window whose probes are not answered.
      row('B80D0120000000000000000002000100:9C43', 0, 2 + look),
      // Each time something was just lost, and acknowledged in between.
      row('0502010A:9C44', look % 2 === 0 ? 3 : 1, 0),
      // A stranger of the same port elsewhere.
      row('0602010B:9C45', 9, 9),
    ].join('');
    await vanished.look();
    if (look === 2)
      assert.deepEqual(
        [gone, stuck].map(({ destroyed }) => destroyed),
        [false, false],
      );
    now += 5_000;
  }
  assert.deepEqual(
    [gone, slow, stuck, lossy, fine].map(({ destroyed }) => destroyed),
    [true, false, true, false, false],
  );
  server.emit('close');
});

test('a connection is found in the table of this machine', async (t) => {
  if (process.platform !== 'linux') return t.skip('skipped: there is no such table here');
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer().listen(0, host === '::1' ? '::' : host);
    await once(server, 'listening').catch(() => {});
    if (!server.listening) continue;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const near = connect((server.address() as AddressInfo).port, host);
    const [socket] = await accepted;
    const rows = ['tcp', 'tcp6'].map((name) => readFileSync(`/proc/self/net/${name}`, 'latin1')).join('');
    const [local, address, remote] = keyOf(socket).split(' ');
    assert.match(rows, new RegExp(`:${local} ${address}:${remote} 01 `), host);
    near.destroy();
    socket.destroy();
    server.close();
  }
});
