// Which exchanges have their end recorded besides their decision, and how: what a rule with `record` allowed, however small
// it was, and what is cut when the gateway stops.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rulings } from '#gateway/access/ruling';
import { OpenExchanges } from '#gateway/access/streams';
import { type Allowed, Carriage, type CarriageParts } from '#gateway/carriage';
import type { Exchange } from '#gateway/edge/exchange';
import type { Obligations } from '#policy/decision';
import type { StreamClosed } from '#siem/event';

const AT = Date.parse('2026-03-04T10:00:00Z');

const RESULT = { outcome: 'completed', headSent: true, status: 200, bytesIn: 3, bytesOut: 5 };

/** What is recorded of a small exchange that is over at once, or when `relay` says so. */
async function recordedOf(
  own: Obligations | undefined,
  other?: Obligations,
  { open = { add: () => {}, delete: () => {} }, relay = {} }: { open?: object; relay?: object } = {},
): Promise<readonly StreamClosed[]> {
  const recorded: StreamClosed[] = [];
  const carriage = new Carriage({
    open,
    tunnels: {
      relay: () => ({ done: Promise.resolve(RESULT), carrier: undefined, close: () => {}, ...relay }),
    },
    recorder: { record: async (event: StreamClosed) => void recorded.push(event) },
    now: () => AT,
  } as unknown as CarriageParts);
  const by = (obligations: Obligations | undefined): object => ({
    ruling: { policy: 'hash', decision: { verdict: 'allow', reason: 'allowed', obligations } },
    session: { id: 's', subject: { kind: 'user', id: 'ada', groups: [], roles: [] } },
    input: { network: { address: '::1' } },
  });
  await carriage.carry(
    { request: { headers: {}, rawHeaders: [], socket: {} }, response: {} } as unknown as Exchange,
    {
      ...{ ...by(own), also: [by(other)], id: 'decision' },
      app: { id: 'db', protocol: 'http', assertion: { headers: [] } },
      clean: { host: 'db.test', method: 'GET', path: '/', query: '' },
      ...{ trace: { id: 't', parent: 'p' }, client: { address: '::1' } },
    } as unknown as Allowed,
  );
  return recorded;
}

test('a rule with record has the end of everything it allows recorded', async () => {
  const [end, ...more] = await recordedOf({ record: true });
  assert.deepEqual(more, []);
  assert.deepEqual([end?.kind, end?.decisionId, end?.bytesToClient], ['stream-closed', 'decision', 5]);
});

test('also when it is that of the service in whose hands a request is', async () => {
  assert.equal((await recordedOf(undefined, { record: true })).length, 1);
});

test('of what no such rule allowed a small one has its decision alone', async () => {
  assert.deepEqual(await recordedOf(undefined), []);
  assert.deepEqual(await recordedOf({ readOnly: true }, { maxSession: 1 }), []);
});

test('what is open when the gateway stops is closed for that, and nothing is said to have been enforced', async () => {
  const open = new OpenExchanges(
    new Rulings(() => assert.fail('nothing is decided')),
    async () => true,
    () => AT,
    async () => ({}),
  );
  const { promise: done, resolve } = Promise.withResolvers<object>();
  const close = (detail: string): void => resolve({ ...RESULT, outcome: 'closed', detail });
  const recorded = recordedOf({}, undefined, { open, relay: { done, close } });
  assert.equal(open.size, 2, 'one for each party');
  open.endAll();
  const [end, ...more] = await recorded;
  assert.deepEqual(more, []);
  assert.deepEqual([end?.kind, end?.reason, end?.enforceMs], ['stream-closed', 'gateway-stopped', undefined]);
  assert.equal(open.size, 0);
});
