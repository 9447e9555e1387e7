// What nobody can decide: while it is not known what was revoked, a request is neither allowed nor called revoked, but
// answered as one to be tried again.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Revocations } from '#gateway/access/revocations';
import { Rulings } from '#gateway/access/ruling';
import { Answers, type AnswersParts } from '#gateway/answers';
import type { Exchange } from '#gateway/edge/exchange';
import type { CleanRequest } from '#gateway/edge/front';
import { Flow, type FlowParts } from '#gateway/flow';
import type { LiveSession } from '#gateway/identity/live-session';
import { TooMany } from '#gateway/inspect/strangers';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { StateError } from '#gateway/state/error';
import type { Store } from '#gateway/state/store';
import type { AccessRequest } from '#policy/input';
import type { Policy } from '#policy/load';
import type { AccessDecided, RequestRefused, SallyportEvent } from '#siem/event';
import { directoryFor } from '../../siem/outbox/documents.ts';

/** Milliseconds of the store's silence that the view of it bears. */
const BORNE = 30_000;
const AT = Date.parse('2026-03-04T10:00:00Z');
const SESSION: LiveSession = {
  ...{ id: 's1', createdAt: AT, lastSeenAt: AT, expiresAt: AT + 3_600_000, clientAddress: '192.0.2.1' },
  subject: { kind: 'user', id: 'https://id#1', groups: [], roles: [] },
  login: { provider: 'corp', at: AT, amr: ['pwd'] },
};
const ALLOWS = {
  ...{ hash: 'hash', prepare: () => ({}) },
  decide: () => ({ verdict: 'allow', reason: 'allowed' }),
} as unknown as Policy;

interface Told {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

/** A response, and what is said with it. */
function answered(): { readonly told: Told; readonly response: EventEmitter } {
  const told: Told = {};
  const response = Object.assign(new EventEmitter(), {
    writeHead: (code: number, headers: Record<string, string>) =>
      Object.assign(told, { status: code, headers }),
    setTimeout: () => {},
    end: (body: string) => Object.assign(told, { body }),
  });
  return { told, response };
}

for (const [silence, status] of [
  [BORNE - 5_000, undefined],
  [BORNE + 1, 503],
] as const) {
  test(`a store silent for ${silence / 1000} s: ${status ?? 'decided as ever'}`, async (t) => {
    const store = openEmbeddedStore(directoryFor(t), Date.now);
    t.after(() => store.close());
    const silent = new Proxy(store, {
      get: (target, name) => {
        if (name === 'confirmedAt') return () => performance.now() - silence;
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    }) as Store;
    const revocations = new Revocations(silent, Date.now);
    await revocations.refresh();
    const rulings = new Rulings(
      () => ALLOWS,
      (who, asked) => revocations.covers(who, asked),
    );
    const events: SallyportEvent[] = [];
    const flow = new Flow({
      answers: new Answers({ portal: 'https://access.example.com' } as unknown as AnswersParts),
      standings: { of: async () => ({ facts: undefined, reasons: [] }) },
      ways: {
        rule: (who: LiveSession, asked: AccessRequest) => ({
          ruling: rulings.rule(who, asked),
          input: asked,
        }),
      },
      connections: {
        facts: () => ({ client: {}, network: { address: '192.0.2.1' } }),
        httpFacts: () => ({}),
      },
      recorder: { newId: () => 'id-1', record: async (event: SallyportEvent) => void events.push(event) },
      metrics: { decided: () => {} },
      carriage: { traceOf: () => ({ id: 't' }), carry: async () => {} },
      now: () => AT,
    } as unknown as FlowParts);
    const { told, response } = answered();
    const request = { headers: {}, method: 'GET' } as IncomingMessage;
    const clean: CleanRequest = { host: 'wiki.example.com', path: '/', query: '', method: 'GET' };
    const app = { id: 'wiki', name: 'Wiki', protocol: 'http' } as never;
    await flow.decide({ request, response } as unknown as Exchange, app, clean, SESSION);
    const [recorded] = events as [AccessDecided];
    assert.deepEqual([told.status, recorded.status], [status, status]);
    if (status === undefined) return assert.equal(recorded.decision.verdict, 'allow');
    assert.deepEqual(recorded.decision, { verdict: 'deny', reason: 'error' });
    assert.equal(told.headers?.['Retry-After'], '5');
    const { error, reference } = JSON.parse(told.body ?? '');
    assert.deepEqual([error, reference], ['not-decided', 'id-1']);
  });
}

/** A flow that cannot find out whose session a cookie opens. */
function lost(error: Error, record: (event: SallyportEvent) => Promise<string>): Flow {
  const client = { address: '192.0.2.1' };
  return new Flow({
    answers: new Answers({ portal: 'https://access.example.com' } as unknown as AnswersParts),
    sites: { get: () => ({ kind: 'app', app: { id: 'wiki', protocol: 'http' } }) },
    sessions: { find: () => Promise.reject(error) },
    connections: {
      serverName: () => 'wiki.localhost',
      refusal: (_: unknown, code: string) => ({ kind: 'request-refused', code, status: 401, client }),
    },
    strangers: { record },
    carriage: { coming: () => undefined },
    metrics: { failed: () => {} },
    log: { error: () => {} },
  } as unknown as FlowParts);
}

const ASKED = {
  ...{ httpVersion: '1.1', method: 'GET', url: '/a' },
  headers: { host: 'wiki.localhost', cookie: '__Host-sallyport=x' },
  rawHeaders: ['Host', 'wiki.localhost'],
  socket: {},
} as unknown as IncomingMessage;

const AWAY = new StateError('state-unreachable', 'the state does not answer');

test('whoever asks while the state is away is told so, and so is the record', async () => {
  const events: SallyportEvent[] = [];
  const flow = lost(AWAY, async (event) => `id-${events.push(event)}`);
  const { told, response } = answered();
  await flow.take({ request: ASKED, response } as unknown as Exchange);
  const { error, reference } = JSON.parse(told.body ?? '');
  assert.deepEqual([told.status, error, reference], [503, 'not-decided', 'id-1']);
  const [{ kind, code, status }] = events as [RequestRefused];
  assert.deepEqual({ kind, code, status }, { kind: 'request-refused', code: 'not-decided', status: 503 });
});

test('who is beyond the share of their address is told the same, and what is nobody’s state is not recorded', async () => {
  const refused: string[] = [];
  const crowded = (): Promise<string> => Promise.reject(new TooMany(1_000));
  const noting = async ({ kind }: SallyportEvent): Promise<string> => `id-${refused.push(kind)}`;
  for (const [error, record] of [
    [AWAY, crowded],
    [new Error('the client went away'), noting],
  ] as const) {
    const { told, response } = answered();
    await lost(error, record).take({ request: ASKED, response } as unknown as Exchange);
    assert.deepEqual([told.status, JSON.parse(told.body ?? '').error], [503, 'not-decided']);
  }
  assert.deepEqual(refused, []);
});
