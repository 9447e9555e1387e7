// Questions of the gateway's own to connectors: answered whole or not at all, by another connector if the first cannot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenRequest } from '#connectors/wire/open';
import { IGNORE, type Stream, type StreamHandler } from '#connectors/wire/stream';
import { bridge } from '#gateway/relay/bridge';
import type { Question } from '#gateway/tunnel/relay';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import { bed } from './bed.ts';

const question = (more: Partial<Question> = {}): Question => ({
  ...{ app: 'app', method: 'POST', path: '/q', body: Buffer.from('{}'), limit: 100 },
  signal: new AbortController().signal,
  ...more,
});
const nobody = 'http://127.0.0.1:1';
/** Says back what it was asked. */
const echo = (stream: Stream, { request }: OpenRequest): StreamHandler => {
  let body = '';
  return {
    ...IGNORE,
    onData(piece, fin) {
      stream.consume(piece.length);
      body += piece.toString();
      if (!fin) return;
      stream.head(200, '', [], false);
      stream.end(Buffer.from(`${request?.method} ${request?.path} ${body}`));
    },
  };
};
const resets = (stream: Stream): StreamHandler => {
  queueMicrotask(() => stream.reset('app-error', 'the API answered 403'));
  return IGNORE;
};

test('a question is answered', async (t) => {
  const { tunnels, connect } = await bed(t, nobody, { connectors: 0 });
  await connect('a', echo);
  const answered = await tunnels.ask(question());
  assert.deepEqual(answered, { ok: true, status: 200, body: Buffer.from('POST /q {}') });
});

test('by another connector when the first fails', async (t) => {
  const { tunnels, connect } = await bed(t, nobody, { connectors: 0 });
  await connect('a', resets);
  assert.deepEqual(await tunnels.ask(question()), {
    ...{ ok: false, failure: 'app-error', detail: 'the API answered 403' },
  });
  await connect('b', echo);
  for (let i = 0; i < 4; i++) assert.equal((await tunnels.ask(question())).ok, true);
});

test('through another gateway, where only that one has a connector', async (t) => {
  const there = await bed(t, nobody, { connectors: 0 });
  await there.connect('a', echo);
  const here = await bed(t, nobody, { connectors: 0 });
  await here.connect('gateway', (stream, request, fin) => {
    const tunnel = there.tunnels.own({ app: 'app', certificate: undefined });
    return bridge(stream, 'app', request, fin, tunnel as Tunnel);
  });
  const answered = await here.tunnels.ask(question({ body: Buffer.from('{"a":1}') }));
  assert.deepEqual(answered, { ok: true, status: 200, body: Buffer.from('POST /q {"a":1}') });
});

test('without a connector, and when one is lost in the middle, there is no answer', async (t) => {
  const { tunnels, connect } = await bed(t, nobody, { connectors: 0 });
  const none = await tunnels.ask(question());
  assert.ok(!none.ok);
  assert.equal(none.failure, 'no-connector');
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const { line } = await connect('a', () => {
    resolve();
    return IGNORE;
  });
  const waiting = tunnels.ask(question());
  await asked;
  line.cut('gone');
  const lost = await waiting;
  assert.ok(!lost.ok);
  assert.equal(lost.failure, 'connector-lost');
});

test('an answer that is too large is none, nor one that does not come in time', async (t) => {
  const { tunnels, connect } = await bed(t, nobody, { connectors: 0 });
  const resetWith: string[] = [];
  const { session } = await connect('a', (stream) => ({
    ...IGNORE,
    onData(piece, fin) {
      stream.consume(piece.length);
      if (!fin) return;
      stream.head(200, '', [], false);
      if (piece.toString() === 'silence') return;
      stream.write(Buffer.alloc(60));
      stream.write(Buffer.alloc(60));
    },
    onReset: (code) => void resetWith.push(code),
  }));
  const large = await tunnels.ask(question());
  assert.deepEqual(large, { ok: false, failure: 'app-error', detail: 'an answer of over 100 bytes' });
  const giveUp = new AbortController();
  const waiting = tunnels.ask(question({ body: Buffer.from('silence'), signal: giveUp.signal }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  giveUp.abort();
  const late = await waiting;
  assert.ok(!late.ok);
  assert.equal(late.failure, 'app-timeout');
  while (session.streams > 0) await new Promise(setImmediate);
  assert.deepEqual(resetWith, ['cancelled', 'cancelled'], 'the connector is told that nobody waits');
  assert.equal(tunnels.held, 0);
  const gone = await tunnels.ask(question({ signal: AbortSignal.abort() }));
  assert.equal(gone.ok, false);
});
