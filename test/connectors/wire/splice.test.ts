// Two that are joined: what one has said in full arrives in full, however its connection ends after that.
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { openPrefix } from '#connectors/wire/open';
import { Splice } from '#connectors/wire/splice';
import type { Stream } from '#connectors/wire/stream';
import { joined, Probe, settle } from './sides.ts';

test('an app that ended and then broke has said all the same what still waits; one that only broke has not', async () => {
  const speech = Buffer.alloc(1024 * 1024, 'x');
  for (const ends of [true, false]) {
    const [app, socket] = duplexPair({ allowHalfOpen: true });
    const { gateway } = await joined(
      {},
      () => 0,
      (stream) => {
        stream.accept();
        return new Splice(socket, stream, speech, () => {});
      },
    );
    const probe = new Probe();
    probe.consuming = false;
    const stream = gateway.session.open(openPrefix('tcp', 'app'), '', false, probe, 0);
    probe.stream = stream;
    await settle();
    if (ends) app.end();
    await settle();
    socket.destroy(new Error('read ECONNRESET'));
    await settle();
    // The person reads on.
    probe.consuming = true;
    stream.consume(probe.bytes);
    await settle(200);
    const [told] = probe.events.slice(-1);
    if (ends) assert.deepEqual([probe.bytes, told], [speech.length, 'reset done']);
    else assert.match(String(told), /^reset cancelled/);
  }
});

test('a side that reads slowly gets all that was said before the other closed, and is not done before', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  for (const reads of [true, false]) {
    const [person, socket] = duplexPair({ allowHalfOpen: true, writableHighWaterMark: 1024 });
    let said: Stream | undefined;
    const { gateway } = await joined(
      {},
      () => 0,
      (stream) => {
        said = stream;
        stream.accept();
        return new Probe();
      },
    );
    const stream = gateway.session.open(openPrefix('tcp', 'app'), '', false, new Probe(), 0);
    let end = '';
    stream.handler = new Splice(socket, stream, Buffer.alloc(0), (how) => {
      end = how;
    });
    await settle();
    said?.end(Buffer.alloc(100_000, 'x'));
    said?.stop();
    await settle(50);
    t.mock.timers.tick(60_000);
    await settle();
    assert.equal(end, '', 'what waits for the person is open, and can be closed');
    assert.equal(socket.destroyed, false);
    let bytes = 0;
    if (reads) person.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await settle(500);
    // Whoever takes nothing at all is not waited for for ever.
    for (let minute = 0; minute < 5; minute += 1) {
      t.mock.timers.tick(60_000);
      await settle();
    }
    assert.deepEqual([socket.destroyed, end], [true, reads ? 'completed' : 'socket']);
    if (reads) assert.equal(bytes, 100_000);
  }
});
