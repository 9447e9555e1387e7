// Which exchanges have their end recorded besides their decision: what a rule with `record` allowed, however small it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Allowed, Carriage, type CarriageParts } from '#gateway/carriage';
import type { Exchange } from '#gateway/edge/exchange';
import type { Obligations } from '#policy/decision';
import type { StreamClosed } from '#siem/event';

const AT = Date.parse('2026-03-04T10:00:00Z');

/** What is recorded of a small exchange that is over at once. */
async function recordedOf(
  own: Obligations | undefined,
  other?: Obligations,
): Promise<readonly StreamClosed[]> {
  const recorded: StreamClosed[] = [];
  const result = { outcome: 'completed', headSent: true, status: 200, bytesIn: 3, bytesOut: 5 };
  const carriage = new Carriage({
    open: { add: () => {}, delete: () => {} },
    tunnels: { relay: () => ({ done: Promise.resolve(result), carrier: undefined, close: () => {} }) },
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
