// Everything that a decision needs, broken in turn: whatever throws, fails, is silent or answers nothing, no request is
// carried, and whoever asked is told.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Flow, type FlowParts } from '#gateway/flow';

const RULING = {
  policy: 'hash',
  decision: {
    ...{ verdict: 'allow', reason: 'allowed', rule: { id: 'all' } },
    obligations: { rate: { requests: 9, per: 1000 } },
  },
};
const INPUT = { version: 1, network: { address: '192.0.2.1' }, target: { app: 'wiki' } };
const NOW = 1_000_000;

const request = {
  ...{ httpVersion: '1.1', method: 'GET', url: '/a' },
  headers: { host: 'wiki.localhost', cookie: '__Host-sallyport=x' },
  rawHeaders: ['Host', 'wiki.localhost'],
  socket: {},
} as unknown as IncomingMessage;

type Work = (...args: readonly unknown[]) => unknown;
type Parts = Record<string, Record<string, Work>>;

/** A flow in which all is well, what came of it, and what the way of an allowed request asks. */
function working(): { readonly parts: Parts; readonly did: string[]; readonly asked: Set<string> } {
  const did: string[] = [];
  const asked = new Set<string>();
  const note = (what: string) => async (): Promise<void> => void did.push(what);
  const session = {
    id: 's',
    subject: { kind: 'user', id: 'ada' },
    login: { at: NOW, provider: 'p' },
    startedAt: NOW,
  };
  const client = { address: '192.0.2.1' };
  const parts: Parts = {
    sites: { get: () => ({ kind: 'app', app: { id: 'wiki', protocol: 'http' } }) },
    connections: {
      serverName: () => 'wiki.localhost',
      facts: () => ({ client, network: client }),
      httpFacts: () => ({}),
      refusal: () => ({ kind: 'request-refused' }),
    },
    sessions: { find: async () => session },
    standings: { of: async () => ({ facts: undefined, reasons: [] }) },
    ways: { rule: async () => ({ ruling: RULING, input: INPUT }) },
    rates: { kept: async (way) => way },
    recorder: { newId: () => 'id', record: async () => 'id' },
    strangers: { record: async () => 'id' },
    metrics: { decided: () => {}, refused: () => {}, failed: () => {} },
    carriage: { coming: () => undefined, traceOf: () => ({ id: 't', parent: 'p' }), carry: note('carried') },
    answers: {
      notDecided: note('told'),
      refused: note('told'),
      signInFirst: note('told'),
      denied: note('told'),
      tooMany: note('told'),
    },
  };
  for (const [name, part] of Object.entries(parts)) {
    for (const [method, work] of Object.entries(part)) {
      part[method] = (...args) => {
        asked.add(`${name}.${method}`);
        return work(...args);
      };
    }
  }
  return { parts, did, asked };
}

async function take(parts: Parts, did: string[] = []): Promise<void> {
  const log = { error: () => {} };
  const flow = new Flow({ ...parts, log, now: () => NOW } as unknown as FlowParts);
  const response = { destroy: () => {} };
  const admitted = (): void => void did.push('admitted');
  const taken = flow.take({ request, response, admitted } as unknown as Parameters<Flow['take']>[0]);
  // Whatever is silent leaves it waiting: then all that could be done is done.
  await Promise.race([taken, turn().then(() => turn())]);
}

const MISDEEDS = {
  throws: () => {
    throw new Error('broken');
  },
  fails: () => Promise.reject(new Error('broken')),
  'is silent': () => new Promise(() => {}),
  'answers nothing': () => undefined,
} as const satisfies Readonly<Record<string, Work>>;
type Misdeed = keyof typeof MISDEEDS;
const WAITED_FOR: readonly Misdeed[] = ['throws', 'fails', 'is silent'];

/** How each can go wrong: some are waited for, and some answer nothing when all is well. */
const WAYS: Readonly<Record<string, readonly Misdeed[]>> = {
  'sites.get': ['throws', 'answers nothing'],
  'connections.serverName': ['throws', 'answers nothing'],
  'connections.facts': ['throws', 'answers nothing'],
  'connections.httpFacts': ['throws'],
  'sessions.find': [...WAITED_FOR, 'answers nothing'],
  'standings.of': [...WAITED_FOR, 'answers nothing'],
  'ways.rule': [...WAITED_FOR, 'answers nothing'],
  'rates.kept': [...WAITED_FOR, 'answers nothing'],
  'recorder.newId': ['throws'],
  'recorder.record': WAITED_FOR,
  'metrics.decided': ['throws'],
  'carriage.coming': WAITED_FOR,
  'carriage.traceOf': ['throws', 'answers nothing'],
};

test('every dependency of a decision, broken in turn, allows nothing', async () => {
  const whole = working();
  await take(whole.parts, whole.did);
  assert.deepEqual(whole.did, ['admitted', 'carried']);
  // What the way of a request asks is what is broken here, and nothing is left out.
  assert.deepEqual([...whole.asked].sort(), [...Object.keys(WAYS), 'carriage.carry'].sort());
  for (const [one, ways] of Object.entries(WAYS)) {
    const [name = '', method = ''] = one.split('.');
    for (const how of ways) {
      const { parts, did } = working();
      (parts[name] ?? {})[method] = MISDEEDS[how];
      await take(parts, did);
      assert.deepEqual(did, how === 'is silent' ? [] : ['told'], `${one} ${how}`);
    }
  }
});

test('a refusal that cannot be recorded is told, and is no allow', async () => {
  for (const misdeed of ['throws', 'fails'] as const) {
    const { parts, did } = working();
    (parts['sessions'] ?? {})['find'] = async () => undefined;
    (parts['strangers'] ?? {})['record'] = MISDEEDS[misdeed];
    await take(parts, did);
    assert.deepEqual(did, ['told'], misdeed);
  }
});
