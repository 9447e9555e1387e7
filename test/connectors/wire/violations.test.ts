// What a peer that breaks the protocol gets: the end of its stream, or of its tunnel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIN, FRAME, frame } from '#connectors/wire/frame';
import { encodeHello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS } from '#connectors/wire/limits';
import { openPrefix } from '#connectors/wire/open';
import { pair } from './pair.ts';
import { HELLO, joined, open, settle, side } from './sides.ts';

const request = Buffer.concat([openPrefix('http', 'app'), Buffer.from('GET\n/')]);
const often = (bytes: Buffer): Buffer[] => Array.from({ length: 17 }, () => bytes);
const violations: [name: string, frames: Buffer[], code: string][] = [
  ['a second hello', [frame(FRAME.HELLO, 0, encodeHello(HELLO))], 'protocol'],
  ['a frame for a stream never opened', [frame(FRAME.DATA, 99, Buffer.alloc(1))], 'protocol'],
  ['OPEN with the wrong parity', [frame(FRAME.OPEN, 1, request)], 'protocol'],
  ['OPEN twice', [frame(FRAME.OPEN, 2, request), frame(FRAME.OPEN, 2, request)], 'protocol'],
  ['more acknowledged than sent', [frame(FRAME.SESSION_ACK, 0, Buffer.from([0, 1, 0, 0]))], 'flow-control'],
  ['nothing acknowledged', [frame(FRAME.SESSION_ACK, 0, Buffer.alloc(4))], 'flow-control'],
  ['a flood of pings', often(frame(FRAME.PING, 0, Buffer.alloc(8))), 'limits'],
  ['a flood of pongs', often(frame(FRAME.PONG, 0, Buffer.alloc(8))), 'limits'],
  [
    'a flood of goodbyes',
    [frame(FRAME.OPEN, 2, request), ...often(frame(FRAME.GOAWAY, 0, Buffer.of(0)))],
    'limits',
  ],
  [
    'credit for nothing',
    [frame(FRAME.OPEN, 2, request), frame(FRAME.WINDOW, 2, Buffer.alloc(4))],
    'flow-control',
  ],
  [
    'credit beyond 2 GiB',
    [frame(FRAME.OPEN, 2, request), frame(FRAME.WINDOW, 2, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
    'flow-control',
  ],
];
for (const [name, frames, code] of violations) {
  test(`violation: ${name}`, async () => {
    const { gateway, connector } = await joined();
    for (const bytes of frames) connector.end.send(bytes);
    await settle();
    assert.match(gateway.closed ?? '', new RegExp(`^${code}: `));
  });
}

test('a frame out of place ends its stream only', async () => {
  const misplaced: [Buffer, string][] = [
    [frame(FRAME.DATA, 1, Buffer.alloc(1)), 'DATA before HEAD'],
    [frame(FRAME.TRAILERS | FIN, 1, Buffer.from('a\nb')), 'TRAILERS before HEAD'],
    [frame(FRAME.HEAD, 1, Buffer.from('200')), 'a head that is none'],
  ];
  for (const [bytes, why] of misplaced) {
    const { gateway, connector } = await joined();
    const { probe } = open(gateway);
    const other = open(gateway);
    await settle();
    connector.end.send(bytes);
    await settle();
    assert.match(probe.events[0] ?? '', /^reset (stream-state|bad-head)/, why);
    connector.accepted[1]?.stream?.head(200, '', [], true);
    await settle();
    assert.deepEqual(other.probe.events, ['head 200 fin'], why);
  }
});

test('nothing more may come in a direction that has ended', async () => {
  for (const late of [
    frame(FRAME.DATA, 1, Buffer.alloc(1)),
    frame(FRAME.TRAILERS | FIN, 1, Buffer.from('a\nb')),
    frame(FRAME.HEAD, 1, Buffer.from('200\n')),
  ]) {
    const { gateway, connector } = await joined();
    // The request is still open, or the stream would be over and the frame dropped.
    const { probe } = open(gateway, false);
    await settle();
    connector.accepted[0]?.stream?.head(200, '', [], true);
    await settle();
    connector.end.send(late);
    await settle();
    assert.match(probe.events.join(), /^head 200 fin,reset stream-state/);
    assert.equal(gateway.closed, undefined);
  }
});

test('the hello has to come first and in time', async () => {
  const [left, right] = pair();
  right.attach(
    () => {},
    () => {},
  );
  const early = side(left, true, DEFAULT_LIMITS, () => 0);
  right.send(frame(FRAME.PING, 0, Buffer.alloc(8)));
  await settle();
  assert.match(early.closed ?? '', /PING before the hello/);
  const [quiet, peer] = pair();
  peer.attach(
    () => {},
    () => {},
  );
  const late = side(quiet, true, DEFAULT_LIMITS, () => 0);
  for (let second = 0; second < 11; second++) late.session.tick();
  assert.match(late.closed ?? '', /no hello in time/);
});

test('no common version is said, and ends the tunnel', async () => {
  const [left, right] = pair();
  right.attach(
    () => {},
    () => {},
  );
  const gateway = side(left, true, DEFAULT_LIMITS, () => 0);
  right.send(frame(FRAME.HELLO, 0, encodeHello({ ...HELLO, versions: [7] })));
  await settle();
  assert.match(gateway.closed ?? '', /^version: the connector speaks 7, this gateway 1/);
});
