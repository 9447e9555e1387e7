// The first seconds of a gateway: who waits for a connector, and for how long.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Arrivals } from '#gateway/tunnel/arrivals';

test('an app is waited for until it has a connector, once', async () => {
  const arrivals = new Arrivals(() => {});
  const wiki = arrivals.of('wiki');
  assert.ok(wiki !== undefined);
  assert.equal(arrivals.of('wiki'), wiki, 'all wait for the same');
  arrivals.here(['wiki', 'vault']);
  await wiki;
  assert.deepEqual([arrivals.of('wiki'), arrivals.of('vault')], [undefined, undefined]);
  arrivals.end();
});

test('nobody waits for longer than fifteen seconds after the start', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let over = false;
  const arrivals = new Arrivals(() => {
    over = true;
  });
  const wiki = arrivals.of('wiki');
  mock.timers.tick(14_999);
  assert.equal(over, false);
  mock.timers.tick(1);
  assert.equal(over, true);
  await wiki;
});
