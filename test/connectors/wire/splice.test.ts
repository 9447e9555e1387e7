// Two that are joined: what one has said in full arrives in full, however its connection ends after that.
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { openPrefix } from '#connectors/wire/open';
import { Splice } from '#connectors/wire/splice';
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
