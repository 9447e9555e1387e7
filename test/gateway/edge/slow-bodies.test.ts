// Bodies that trickle and bodies that move, with time told by the test.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { SlowBodies } from '#gateway/edge/slow-bodies';

interface Fake {
  readonly headers: Record<string, string>;
  readonly socket: { bytesRead: number };
  complete: boolean;
  destroyed: boolean;
  readableFlowing: boolean | null;
}
const body = (headers: Record<string, string> = { 'content-length': '100000' }): Fake => ({
  headers,
  socket: { bytesRead: 5000 },
  complete: false,
  destroyed: false,
  readableFlowing: true,
});

function watch(...bodies: Fake[]): { pass(seconds: number, each?: () => void): void; cut: Fake[] } {
  const cut: Fake[] = [];
  const slow = new SlowBodies((request) => cut.push(request as unknown as Fake));
  for (const one of bodies) slow.watch(one as unknown as IncomingMessage);
  const pass = (seconds: number, each?: () => void): void => {
    for (let second = 0; second < seconds; second += 1) {
      each?.();
      slow.look(1000);
    }
  };
  return { pass, cut };
}

test('a body that trickles is cut after thirty seconds and no sooner, once', () => {
  const one = body();
  const { pass, cut } = watch(one);
  const drip = (): void => {
    one.socket.bytesRead += 10;
  };
  pass(30, drip);
  assert.deepEqual(cut, []);
  pass(10, drip);
  assert.deepEqual(cut, [one]);
});

test('a body that keeps moving may take as long as it likes', () => {
  const one = body({ 'transfer-encoding': 'chunked' });
  const { pass, cut } = watch(one);
  pass(3600, () => {
    one.socket.bytesRead += 600;
  });
  assert.deepEqual(cut, []);
});

test('what came fast at first is no credit for standing still', () => {
  const one = body();
  const { pass, cut } = watch(one);
  one.socket.bytesRead += 100_000_000;
  pass(31);
  assert.deepEqual(cut, []);
  pass(31);
  assert.deepEqual(cut, [one]);
});

test('time in which nobody reads is not the client’s', () => {
  const one = body();
  one.readableFlowing = false;
  const { pass, cut } = watch(one);
  pass(600);
  one.readableFlowing = true;
  pass(30);
  assert.deepEqual(cut, []);
  pass(1);
  assert.deepEqual(cut, [one]);
});

test('a request without a body, or whose body is there, is not watched', () => {
  const [none, empty, whole] = [body({}), body({ 'content-length': '0' }), body()];
  whole.complete = true;
  const { pass, cut } = watch(none, empty, whole);
  pass(120);
  assert.deepEqual(cut, []);
});
