// Recorded decisions, read back and run through a candidate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RecordedDecision, readDecision, readInput } from '#policy/recorded';
import { replay } from '#policy/replay';
import { policyOf, requestWith } from './criteria/ask.ts';
import { policies } from './generate/policies.ts';
import { choices, requestFor } from './generate/requests.ts';

const user = (id: string, groups: string[] = []) =>
  requestWith({ subject: { kind: 'user', id, groups, roles: [] } });
const recorded = (
  id: string,
  verdict: 'allow' | 'deny',
  input = user(id),
  rule?: string,
): RecordedDecision => ({ id, verdict, input, ...(rule === undefined ? {} : { rule }) });

const CANDIDATE = policyOf(`
version: 1
apps: [app]
rules:
  - { id: staff, allow: app, who: idp:staff }
  - { id: night, deny: app, who: "user:nils" }
  - { id: soon, deny: app, who: idp:guests, mode: shadow }
`);

test('gains and losses are counted by app and rule, with an example', async () => {
  const report = await replay(
    [
      recorded('1', 'allow', user('anna', ['idp:staff']), 'old'),
      recorded('2', 'deny', user('bert', ['idp:staff', 'idp:guests'])),
      recorded('3', 'deny', user('bert', ['idp:staff', 'idp:guests'])),
      recorded('4', 'deny', user('cara', ['idp:staff'])),
      recorded('5', 'allow', user('nils', ['idp:staff']), 'old'),
      recorded('6', 'allow', user('dora'), 'old'),
      undefined,
    ],
    CANDIDATE,
  );
  assert.deepEqual(report, {
    requests: 6,
    unreadable: 1,
    unchanged: 1,
    gains: [{ app: 'app', before: '-', after: 'staff', example: '2', requests: 3, subjects: 2 }],
    losses: [
      { app: 'app', before: 'old', after: 'night', example: '5', requests: 1, subjects: 1 },
      { app: 'app', before: 'old', after: '-', example: '6', requests: 1, subjects: 1 },
    ],
    shadow: [{ rule: 'soon', matched: 2, changed: 2 }],
    hit: ['night', 'staff'],
  });
});

test('a subject whose groups changed between two records is asked again', async () => {
  const report = await replay(
    [recorded('1', 'allow', user('anna', ['idp:staff'])), recorded('2', 'deny', user('anna'))],
    CANDIDATE,
  );
  assert.equal(report.unchanged, 2);
});

test('records may come as they are read, and progress is told', async () => {
  const told: number[] = [];
  async function* stream(): AsyncGenerator<RecordedDecision> {
    for (let index = 0; index < 25; index += 1) yield recorded(String(index), 'deny');
  }
  const report = await replay(stream(), CANDIDATE, {
    every: 10,
    progress: (requests) => told.push(requests),
  });
  assert.equal(report.requests, 25);
  assert.deepEqual(told, [10, 20]);
});

test('inputs survive being recorded as JSON, every kind of them', () => {
  fc.assert(
    fc.property(policies, fc.array(choices, { maxLength: 10 }), (written, all) => {
      for (const choice of all) {
        const input = requestFor(written, choice);
        const line = JSON.stringify(input);
        // NaN and Infinity are not JSON; they become null, which is no input.
        if (/:null/.test(line)) assert.equal(readInput(JSON.parse(line)), undefined);
        else assert.deepEqual(readInput(JSON.parse(line)), JSON.parse(line));
      }
    }),
    { numRuns: 200, seed: 5 },
  );
});

test('an event about a decision gives it back; other events are other; damaged ones are unreadable', () => {
  const input = JSON.parse(JSON.stringify(user('anna'))) as object;
  const event = {
    event: { id: 'e1' },
    rule: { id: 'staff' },
    sallyport: { decision: { verdict: 'allow', input } },
  };
  assert.deepEqual(readDecision(event), { id: 'e1', verdict: 'allow', rule: 'staff', input });
  for (const other of [undefined, null, 7, {}, { sallyport: {} }, { sallyport: { decision: { id: 'x' } } }]) {
    assert.equal(readDecision(other), 'other');
  }
  const damaged = (change: object): unknown => ({
    ...event,
    sallyport: { decision: { verdict: 'allow', input: { ...input, ...change } } },
  });
  const damages = [
    { version: 2 },
    { at: '2026' },
    { subject: {} },
    { subject: { kind: 'robot', id: 'x', groups: [], roles: [] } },
    { subject: { kind: 'user', id: 'x', groups: ['a', 1], roles: [] } },
    { subject: { kind: 'service', id: 'x', groups: [], roles: [], key: 'safe' } },
    { target: { app: 'a', protocol: 'ftp' } },
    { network: {} },
    { network: { address: 1 } },
    { login: { mfaAt: 'now' } },
    { device: [true], risk: '1' },
    { ticket: 'maybe' },
    { approved: 1 },
    { workload: { signedBy: 'ci' } },
  ];
  for (const change of damages)
    assert.equal(readDecision(damaged(change)), undefined, JSON.stringify(change));
  assert.equal(readDecision({ ...event, event: {} }), undefined);
});

test('what no policy denied is no gain: a revocation, an error, a rate that the candidate sets too', async () => {
  const counted = policyOf(`version: 1
apps: [app]
rules: [{ id: staff, allow: app, who: idp:staff, rate: 1/1h }]
`);
  const anna = user('anna', ['idp:staff']);
  const denied = ['revoked', 'error', 'rate-limited', 'denied-by-rule'].map(
    (reason): RecordedDecision => ({ ...recorded(reason, 'deny', anna), reason }),
  );
  const gainsOf = async (policy: typeof counted) => (await replay(denied, policy)).gains;
  assert.deepEqual(
    (await gainsOf(counted)).map(({ requests, example }) => [requests, example]),
    [[1, 'denied-by-rule']],
  );
  assert.deepEqual(
    (await gainsOf(CANDIDATE)).map(({ requests, example }) => [requests, example]),
    [[2, 'rate-limited']],
  );
});
