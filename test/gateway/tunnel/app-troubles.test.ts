// Why an app does not answer is in the gateway's log, and nowhere in the answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Allowed, Carriage, type CarriageParts } from '#gateway/carriage';
import type { Exchange } from '#gateway/edge/exchange';
import type { RelayResult } from '#gateway/tunnel/relay';

test('why an app does not answer is told, once a minute for each app, kind and connector', async () => {
  const lines: string[] = [];
  const answered: unknown[][] = [];
  let now = 0;
  let result: Partial<RelayResult> = {};
  const carriage = new Carriage({
    open: { add: () => {}, delete: () => {} },
    tunnels: { relay: () => ({ done: Promise.resolve(result), carrier: undefined, close: () => {} }) },
    answers: {
      unreachable: async (_exchange: unknown, _app: unknown, ...more: unknown[]) => {
        answered.push(more);
        return 502;
      },
    },
    recorder: { record: async () => {} },
    log: { warn: (_: object, message: string) => void lines.push(message) },
    now: () => now,
  } as unknown as CarriageParts);
  const party = {
    ruling: { policy: 'hash', decision: { verdict: 'allow', reason: 'allowed' } },
    session: { id: 's', subject: { kind: 'user', id: 'ada', groups: [], roles: [] } },
    input: { network: { address: '::1' } },
  };
  const carry = (outcome: RelayResult['outcome'], more: Partial<RelayResult>): Promise<void> => {
    result = { outcome, headSent: outcome !== 'failed', bytesIn: 0, bytesOut: 0, ...more };
    const exchange = { request: { headers: {}, rawHeaders: [], socket: {} }, response: {} };
    const allowed = {
      ...{
        ...party,
        also: [],
        id: 'decision',
        clean: { host: 'w.test', method: 'GET', path: '/', query: '' },
      },
      app: { id: 'wiki', protocol: 'http', assertion: { headers: [] } },
      ...{ trace: { id: 't', parent: 'p' }, client: { address: '::1' } },
    };
    return carriage.carry(exchange as unknown as Exchange, allowed as unknown as Allowed);
  };
  const expired = {
    failure: 'app-unreachable',
    detail: 'certificate has expired',
    connector: 'rack-1',
  } as const;
  await carry('failed', expired);
  await carry('failed', expired);
  await carry('failed', { ...expired, connector: 'rack-2' });
  await carry('failed', {
    failure: 'app-timeout',
    detail: 'no response head within 60 s',
    connector: 'rack-1',
  });
  await carry('failed', { failure: 'no-connector' });
  await carry('completed', {});
  await carry('closed', { detail: 'session-revoked' });
  now = 60_000;
  await carry('failed', expired);
  assert.deepEqual(lines, [
    'wiki by connector rack-1: app-unreachable: certificate has expired',
    'wiki by connector rack-2: app-unreachable: certificate has expired',
    'wiki by connector rack-1: app-timeout: no response head within 60 s',
    'wiki by connector rack-1: app-unreachable: certificate has expired',
  ]);
  assert.ok(!JSON.stringify(answered).includes('expired'));
});
