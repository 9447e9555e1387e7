// What is bound to the way of a request: fields that name the certificate the chosen connector shows the app.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { IGNORE, type Stream, type StreamHandler } from '#connectors/wire/stream';
import { ask, bed } from './bed.ts';

const A = 'A'.repeat(43);
const B = 'B'.repeat(43);
const bound = (certificate: string | undefined): string[] => ['X-Bound', certificate ?? 'none'];
const seen = (req: IncomingMessage, res: ServerResponse): void => void res.end(req.headers['x-bound']);

test('a request names the certificate its connector shows the app; one that announced none names none', async (t) => {
  const self = await bed(t, seen, { connectors: 0 });
  self.bound = bound;
  const old = await self.connect('old');
  assert.equal((await ask(self.port, { path: '/' })).body, 'none');
  old.line.cut('gone');
  await self.connect('new', undefined, { app: A, elsewhere: B });
  assert.equal((await ask(self.port, { path: '/' })).body, A);
});

test('sent again through another connector, it names that one’s', async (t) => {
  const self = await bed(t, seen, { connectors: 0 });
  self.bound = bound;
  const heads: string[] = [];
  const broken = (stream: Stream, { request }: { request?: { headers: string[] } }): StreamHandler => {
    heads.push(String(request?.headers.at(-1)));
    queueMicrotask(() => stream.reset('app-unreachable', 'ECONNREFUSED'));
    return IGNORE;
  };
  await self.connect('a', broken as never, { app: A });
  await self.connect('b', undefined, { app: B });
  assert.equal((await ask(self.port, { path: '/' })).body, B);
  assert.deepEqual(heads, [A]);
});

test('to another gateway an app is offered with one certificate, and served with that one only', async (t) => {
  const { tunnels, connect } = await bed(t, seen, { connectors: 0 });
  await connect('b', undefined, { app: B });
  const a = await connect('a', undefined, { app: A });
  const offer = { app: 'app', certificate: A };
  assert.deepEqual(
    tunnels.offers.find(({ app }) => app === 'app'),
    offer,
  );
  assert.equal(tunnels.own(offer)?.peer.connector, 'a');
  a.line.cut('gone');
  await new Promise(setImmediate);
  assert.equal(tunnels.own(offer), undefined, 'not through the one that shows another');
  assert.equal(tunnels.own({ app: 'app', certificate: B })?.peer.connector, 'b');
});
