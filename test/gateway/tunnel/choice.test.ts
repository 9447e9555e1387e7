// Which connector of several gets a request: one that is ready, with the fewest streams, then the quickest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '#connectors/wire/stream';
import { IGNORE } from '#connectors/wire/stream';
import { ask, bed } from './bed.ts';

test('choice: among idle connectors the one that has answered quickest', async (t) => {
  const { port, connect, results } = await bed(t, (_req, res) => res.end('ok'), { connectors: 0 });
  const slow = await connect('slow');
  await connect('quick');
  // The bed breaks ties for the first. Its answer waits on the way until long after the other's could have come.
  slow.line.hold(true);
  const first = ask(port, { path: '/' });
  await new Promise((resolve) => setTimeout(resolve, 400));
  slow.line.hold(false);
  await first;
  for (let i = 0; i < 5; i += 1) await ask(port, { path: '/' });
  const order = results.map(({ connector }) => connector);
  assert.deepEqual(order, ['slow', 'quick', 'quick', 'quick', 'quick', 'quick']);
});

test('choice: a connector with a stream under way gives way to one without, and a lost one to any', async (t) => {
  const held: Stream[] = [];
  const { port, connect, results } = await bed(t, (_req, res) => res.end('ok'), { connectors: 0 });
  const busy = await connect('busy', (stream) => {
    held.push(stream);
    return IGNORE;
  });
  const first = ask(port, { path: '/', method: 'POST' });
  while (held.length === 0) await new Promise(setImmediate);
  const free = await connect('free');
  for (let i = 0; i < 5; i += 1) await ask(port, { path: '/' });
  assert.deepEqual([...new Set(results.map(({ connector }) => connector))], ['free']);
  assert.equal(held.length, 1);
  free.line.cut('killed');
  busy.line.cut('killed');
  assert.equal((await first).status, 502);
  assert.equal((await ask(port, { path: '/' })).body, 'no-connector');
});
