// Two sessions over a line in memory: credit, fairness, keep-alive and drain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME, frame } from '#connectors/wire/frame';
import { encodeRequest } from '#connectors/wire/head';
import { DEFAULT_LIMITS, MAX_DATA } from '#connectors/wire/limits';
import { openPrefix } from '#connectors/wire/open';
import type { Stream } from '#connectors/wire/stream';
import { joined, open, Probe, settle } from './sides.ts';

test('a request, its answer with trailers, and nothing left behind', async () => {
  const { gateway, connector } = await joined();
  const { probe, stream } = open(gateway, false);
  stream.write(Buffer.from('up'));
  stream.endWithTrailers(['A', 'b']);
  await settle();
  const served = connector.accepted[0] as Probe;
  assert.deepEqual(served.events, ['trailers A:b']);
  assert.equal(served.bytes, 2);
  served.stream?.info(103, ['Link', 'x']);
  served.stream?.head(200, 'OK', [], false);
  served.stream?.end(Buffer.from('down'));
  await settle();
  assert.deepEqual(probe.events, ['info 103', 'head 200', 'fin']);
  assert.equal(probe.bytes, 4);
  assert.equal(gateway.session.streams + connector.session.streams, 0);
});

test('a sender stops at the window, and goes on as the reader consumes', async () => {
  const { gateway, connector } = await joined({ minInFlight: 2 * DEFAULT_LIMITS.window });
  const { probe } = open(gateway);
  await settle();
  probe.consuming = false;
  const stream = connector.accepted[0]?.stream as Stream;
  stream.head(200, 'OK', [], false);
  const chunk = 64 * 1024;
  let sent = 0;
  while (stream.write(Buffer.alloc(chunk))) sent += chunk;
  await settle();
  assert.equal(sent, DEFAULT_LIMITS.window, 'write said no after one window');
  assert.equal(probe.bytes, DEFAULT_LIMITS.window, 'not a byte beyond the window arrived');
  assert.equal(gateway.session.budget.held, DEFAULT_LIMITS.window);
  probe.stream?.consume(DEFAULT_LIMITS.window / 4 - 1);
  await settle();
  assert.equal(probe.bytes, DEFAULT_LIMITS.window, 'less than a quarter of the window is not worth a frame');
  probe.stream?.consume(1);
  await settle();
  assert.equal(probe.bytes, DEFAULT_LIMITS.window + chunk);
  assert.equal((connector.accepted[0] as Probe).resumed, 1);
  stream.reset('app-error', 'gone');
  await settle();
  assert.equal(gateway.session.budget.held, 0, 'a stream that ends releases what it held');
});

test('a slow reader does not slow the others', async () => {
  const { gateway, connector } = await joined();
  const slow = open(gateway);
  const quick = open(gateway);
  await settle();
  slow.probe.consuming = false;
  const [slowServer, quickServer] = connector.accepted.map(({ stream }) => stream as Stream);
  slowServer?.head(200, '', [], false);
  quickServer?.head(200, '', [], false);
  for (let i = 0; i < 40; i++) {
    slowServer?.write(Buffer.alloc(64 * 1024));
    quickServer?.write(Buffer.alloc(64 * 1024));
    await settle();
  }
  assert.equal(slow.probe.bytes, DEFAULT_LIMITS.window);
  assert.equal(quick.probe.bytes, 40 * 64 * 1024);
});

test('on a full line streams take turns, and small bodies pass', async () => {
  const limits = { minInFlight: 64 * 1024, window: 16 * 1024 * 1024, maxWindow: 16 * 1024 * 1024 };
  const { gateway, connector } = await joined(limits);
  const bulk = [open(gateway), open(gateway)];
  const small = open(gateway);
  await settle();
  const streams = connector.accepted.map(({ stream }) => stream as Stream);
  for (const stream of streams) stream.head(200, '', [], false);
  await settle();
  // Nothing is acknowledged while the gateway's own frames are held back.
  gateway.end.hold(true);
  for (const stream of streams.slice(0, 2)) stream.write(Buffer.alloc(1024 * 1024));
  streams[2]?.end(Buffer.alloc(4096));
  await settle();
  assert.equal(small.probe.bytes, 4096, 'the small body did not wait');
  const before = bulk.map(({ probe }) => probe.bytes);
  assert.ok(
    (before[0] as number) >= 64 * 1024 && (before[0] as number) <= 64 * 1024 + MAX_DATA,
    'the cap holds',
  );
  gateway.end.hold(false);
  for (let i = 0; i < 100 && bulk.some(({ probe }) => probe.bytes < 512 * 1024); i++) await settle(1);
  const [first, second] = bulk.map(({ probe }, i) => probe.bytes - (before[i] as number));
  assert.ok(Math.abs((first as number) - (second as number)) <= 2 * MAX_DATA, `${first} against ${second}`);
});

test('DATA beyond the credit ends the session', async () => {
  const { gateway, connector } = await joined();
  const { probe } = open(gateway);
  probe.consuming = false;
  await settle();
  connector.accepted[0]?.stream?.head(200, '', [], false);
  await settle();
  // The honest connector must not hear that more was acknowledged than it sent.
  gateway.end.hold(true);
  for (let i = 0; i < DEFAULT_LIMITS.window / MAX_DATA; i++) {
    connector.end.send(frame(FRAME.DATA, 1, Buffer.alloc(MAX_DATA)));
  }
  await settle();
  assert.equal(gateway.closed, undefined, 'all of the credit may be used');
  connector.end.send(frame(FRAME.DATA, 1, Buffer.alloc(1)));
  await settle();
  assert.match(gateway.closed ?? '', /^flow-control: DATA beyond the credit of stream 1/);
  assert.match(probe.events.at(-1) ?? '', /^reset lost DATA beyond/);
});

test('the window grows for a quick stream up to its limit', async () => {
  let now = 0;
  // Every look at the clock takes 10 ms during the handshake: the first ping finds a round trip of 10 at least.
  let step = 10;
  const { gateway, connector } = await joined({}, () => {
    now += step;
    return now;
  });
  step = 0;
  const { probe } = open(gateway);
  await settle();
  const stream = connector.accepted[0]?.stream as Stream;
  stream.head(200, '', [], false);
  for (let i = 0; i < 100; i++) {
    now += 5;
    stream.write(Buffer.alloc(128 * 1024));
    await settle();
  }
  assert.equal(probe.stream?.window, DEFAULT_LIMITS.maxWindow);
});

test('silence after a ping ends the session within 20 seconds', async () => {
  const { gateway, connector } = await joined();
  const { probe } = open(gateway);
  await settle();
  for (let second = 0; second < 60; second++) {
    gateway.session.tick();
    connector.session.tick();
    await settle();
  }
  assert.equal(gateway.closed, undefined, 'a quiet peer that answers pings lives');
  gateway.end.hold(true);
  connector.end.hold(true);
  let seconds = 0;
  while (gateway.closed === undefined && seconds < 60) {
    seconds += 1;
    gateway.session.tick();
    await settle();
  }
  assert.ok(seconds <= 20, `noticed after ${seconds} s`);
  assert.ok(seconds >= 8);
  assert.match(probe.events.at(-1) ?? '', /^reset lost nothing heard/);
});

test('an idle exchange is told so, one that has bytes moving is not', async () => {
  const { gateway, connector } = await joined({ idleSeconds: 5 });
  const probe = new Probe();
  const stream = gateway.session.open(
    openPrefix('http', 'app'),
    encodeRequest('GET', '/', []),
    true,
    probe,
    5,
  );
  probe.stream = stream;
  await settle();
  connector.accepted[0]?.stream?.head(200, '', [], false);
  for (let second = 0; second < 12; second++) {
    connector.accepted[0]?.stream?.write(Buffer.from('x'));
    gateway.session.tick();
    await settle();
  }
  assert.deepEqual(probe.events, ['head 200']);
  for (let second = 0; second < 5; second++) gateway.session.tick();
  assert.equal(probe.events.at(-1), 'idle');
});

test('drain: what is open ends in order, then the line closes at both sides', async () => {
  for (const starter of ['gateway', 'connector'] as const) {
    const sides = await joined();
    const { gateway, connector } = sides;
    const { probe } = open(gateway);
    // A request that was sent before the connector's GOAWAY arrived is served all the same.
    sides[starter].session.goAway();
    await settle();
    assert.equal(gateway.session.ready, false);
    assert.equal(connector.session.ready, false);
    assert.equal(gateway.closed, undefined, 'the open stream keeps the tunnel');
    connector.accepted[0]?.stream?.head(200, '', [], true);
    await settle(20);
    assert.deepEqual(probe.events, ['head 200 fin']);
    assert.match(gateway.closed ?? '', /going-away|closed/, starter);
    assert.match(connector.closed ?? '', /going-away|closed/, starter);
  }
});

test('a lost line resets every stream, once', async () => {
  const { gateway, connector } = await joined();
  const { probe } = open(gateway);
  await settle();
  connector.end.cut('cable');
  await settle();
  assert.deepEqual(probe.events, ['reset lost cable']);
  assert.deepEqual(connector.accepted[0]?.events, ['reset lost cable']);
});

test('"done" follows an answer that is still on its way, and never cuts it short', async () => {
  const { gateway, connector } = await joined();
  const { probe, stream } = open(gateway, false);
  await settle();
  probe.consuming = false;
  const served = connector.accepted[0]?.stream as Stream;
  served.head(413, '', [], false);
  served.end(Buffer.alloc(DEFAULT_LIMITS.window + 10_000));
  served.stop();
  await settle();
  assert.equal(probe.bytes, DEFAULT_LIMITS.window);
  probe.stream?.consume(DEFAULT_LIMITS.window);
  await settle();
  assert.equal(probe.bytes, DEFAULT_LIMITS.window + 10_000);
  assert.deepEqual(probe.events.slice(-2), ['fin', 'reset done']);
  assert.equal(stream.closed, true);
});
