// Too many connections: who gives way, who is refused, and that what is under way is left alone.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import type { Server } from 'node:tls';
import { Crowd } from '#gateway/edge/crowd';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;
  constructor(address: string, port: number) {
    super();
    this.remoteAddress = address;
    this.remotePort = port;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function hall(
  connections: number,
  perAddress: number,
  clock = () => 0,
): { crowd: Crowd; come(address: string): FakeSocket } {
  const server = new EventEmitter();
  const crowd = new Crowd({ connections, perAddress }, clock);
  crowd.attend(server as Server);
  let port = 1024;
  const come = (address: string): FakeSocket => {
    const socket = new FakeSocket(address, port++);
    server.emit('connection', socket);
    if (!socket.destroyed) server.emit('secureConnection', socket);
    return socket;
  };
  return { crowd, come };
}

const gone = (sockets: readonly FakeSocket[]): number[] =>
  sockets.flatMap(({ destroyed }, index) => (destroyed ? [index] : []));

describe('an address with too many connections', () => {
  test('loses the one that has waited longest', () => {
    const { crowd, come } = hall(100, 3);
    const sockets = ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1'].map(come);
    assert.deepEqual(gone(sockets), [0, 1]);
    assert.equal(crowd.size, 3);
  });

  test('keeps what is under way, and is refused when all is', () => {
    const { crowd, come } = hall(100, 2);
    const [one, two] = [come('192.0.2.1'), come('192.0.2.1')];
    crowd.engage(one);
    const three = come('192.0.2.1');
    assert.deepEqual(gone([one, two, three]), [1]);
    crowd.engage(three);
    const four = come('192.0.2.1');
    assert.deepEqual(gone([one, three, four]), [2]);
    crowd.rest(one);
    const five = come('192.0.2.1');
    assert.deepEqual(gone([one, three, five]), [0]);
    assert.equal(crowd.size, 2);
  });

  test('is counted with its neighbours in the same /64, in every spelling, and with nobody else', () => {
    const { come } = hall(100, 1);
    const first = come('2001:db8::1');
    const spelled = come('2001:0db8:0000:0000:0000::2');
    const other = come('2001:db8:0:1::1');
    assert.deepEqual(gone([first, spelled, other]), [0]);
    const four = come('192.0.2.9');
    const mapped = come('::ffff:192.0.2.9');
    assert.deepEqual(gone([four, mapped]), [0]);
  });
});

test('a request whose body does not come gives way; once it is here it keeps its place until it is answered', () => {
  const { crowd, come } = hall(100, 2);
  const headers = { 'content-length': '5' };
  const request = (): IncomingMessage => Object.assign(new EventEmitter(), { headers }) as never;
  const [one, two] = [come('192.0.2.1'), come('192.0.2.1')];
  const [first, second] = [request(), request()];
  crowd.engage(one, first);
  crowd.engage(two, second);
  second.emit('end');
  const three = come('192.0.2.1');
  assert.deepEqual(gone([one, two, three]), [0], 'nothing is done for the one whose body stands still');
  crowd.engage(three);
  assert.equal(come('192.0.2.1').destroyed, true, 'both are busy');
  crowd.rest(two);
  const four = come('192.0.2.1');
  assert.deepEqual(gone([two, three, four]), [0], 'who was answered waits');
});

test('with its head a request waits anew for its body', () => {
  const { crowd, come } = hall(100, 2);
  const headers = { 'transfer-encoding': 'chunked' };
  const [one, two] = [come('192.0.2.1'), come('192.0.2.1')];
  crowd.engage(one, Object.assign(new EventEmitter(), { headers }) as never);
  const three = come('192.0.2.1');
  assert.deepEqual(gone([one, two, three]), [1]);
});

test('when the whole listener is full, the one that has waited longest anywhere gives way', () => {
  const { crowd, come } = hall(3, 3);
  const sockets = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(come);
  crowd.engage(sockets[0] as FakeSocket);
  sockets.push(come('192.0.2.4'));
  assert.deepEqual(gone(sockets), [1]);
  assert.equal(crowd.shed, 1);
});

test('a connection that rests waits anew; pipelined requests count until the last is over', () => {
  const { crowd, come } = hall(100, 2);
  const [one, two] = [come('192.0.2.1'), come('192.0.2.1')];
  crowd.engage(one);
  crowd.engage(one);
  crowd.rest(one);
  const three = come('192.0.2.1');
  assert.deepEqual(gone([one, two, three]), [1], 'one request is still under way');
  crowd.rest(one);
  const four = come('192.0.2.1');
  assert.deepEqual(gone([one, three, four]), [1], 'the third came before the first began to rest');
});

test('whoever waits for too long is sent away, whatever it says meanwhile; what is under way never is', () => {
  let now = 0;
  const { crowd, come } = hall(100, 100, () => now);
  const sockets = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(come);
  const [silent, busy, rested] = sockets as [FakeSocket, FakeSocket, FakeSocket];
  crowd.engage(busy);
  crowd.engage(rested);
  now = 40_000;
  crowd.rest(rested);
  sockets.push(come('192.0.2.4'));
  const look = (at: number): number[] => {
    now = at;
    crowd.look();
    return gone(sockets);
  };
  assert.deepEqual(look(67_999), []);
  assert.deepEqual(look(68_000), [0]);
  assert.deepEqual(look(107_999), [0]);
  assert.deepEqual(look(108_000), [0, 2, 3]);
  assert.deepEqual(look(3_600_000), [0, 2, 3]);
  crowd.rest(busy);
  assert.deepEqual(look(3_668_000), [0, 1, 2, 3]);
  assert.equal(crowd.size, 0);
  assert.equal(silent.destroyed, true);
});

test('no more is taken of a connection than it may have under way, and nothing of one that is gone', () => {
  const { crowd, come } = hall(100, 100);
  const [one, other] = [come('192.0.2.1'), come('192.0.2.1')];
  const taken = Array.from({ length: 40 }, () => crowd.engage(one)).filter(Boolean).length;
  assert.equal(taken, 32);
  assert.equal(crowd.engage(other), true);
  crowd.rest(one);
  assert.deepEqual([crowd.engage(one), crowd.engage(one)], [true, false]);
  one.destroy();
  crowd.rest(one);
  assert.equal(crowd.engage(one), false);
});

test('whoever leaves is forgotten', () => {
  const { crowd, come } = hall(10, 10);
  for (let i = 0; i < 1000; i += 1) {
    const socket = come(`192.0.2.${i % 200}`);
    crowd.engage(socket);
    socket.destroy();
    crowd.rest(socket);
  }
  assert.equal(crowd.size, 0);
  assert.equal(crowd.shed, 0);
});

test('all connections there are can be told, whether they wait or are busy', () => {
  const { crowd, come } = hall(100, 100);
  const [idle, busy, left] = [come('192.0.2.1'), come('192.0.2.2'), come('192.0.2.3')];
  crowd.engage(busy);
  assert.deepEqual(new Set<unknown>(crowd.sockets()), new Set([idle, busy, left]));
  left.destroy();
  crowd.rest(busy);
  assert.deepEqual([...crowd.sockets()], [idle, busy]);
  busy.destroy();
  idle.destroy();
  assert.deepEqual([[...crowd.sockets()], crowd.size], [[], 0]);
});
