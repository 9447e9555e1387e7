// Loading off the main thread, and holding what was loaded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '#policy/decision';
import { PolicyHolder } from '#policy/holder';
import { type Loading, loadPolicy, type Policy } from '#policy/load';
import { BATCH } from '#policy/loader/messages';
import { loadPolicyOffThread } from '#policy/loader/off-thread';
import { buildRequest, Workload } from '../../bench/policy/workload.ts';
import { policyOf, requestWith, verdict } from '../criteria/ask.ts';

const OPEN = 'version: 1\napps: [app]\nrules: [{ id: a, allow: app, who: everyone }]\n';
const SHUT = 'version: 1\napps: [app]\nrules: []\n';

test('a document loaded off the thread decides like one loaded here', async () => {
  const workload = new Workload(750);
  const text = workload.document();
  const [there, here] = [await loadPolicyOffThread(text, 'p.yaml'), loadPolicy(text, 'p.yaml')];
  assert.ok(there.ok && here.ok);
  assert.equal(there.policy.hash, here.policy.hash);
  assert.deepEqual(there.warnings, here.warnings);
  for (const seed of workload.seeds(2000)) {
    const request = buildRequest(seed, workload.subjects[seed.user] ?? assert.fail());
    const decided = (policy: Policy): Decision => policy.decide(request, policy.prepare(request.subject));
    assert.deepEqual(decided(there.policy), decided(here.policy));
  }
});

test('what is wrong with a document is the same off the thread', async () => {
  for (const text of [
    '',
    'version: 1\nrulez: []\n',
    `${OPEN}tests: [{ name: t, app: app, expect: deny }]\n`,
  ]) {
    assert.deepEqual(await loadPolicyOffThread(text, 'p.yaml'), loadPolicy(text, 'p.yaml'));
  }
});

test('a document without rules, and one of exactly a batch, come through whole', async () => {
  for (const count of [0, 1, BATCH, 2 * BATCH, 2 * BATCH + 1]) {
    const rules = Array.from(
      { length: count },
      (_, index) => `  - { id: r${index}, allow: app, who: everyone }`,
    ).join('\n');
    const loading = await loadPolicyOffThread(
      `version: 1\napps: [app]\nrules:\n${rules || '  []'}`,
      'p.yaml',
    );
    assert.ok(loading.ok);
    assert.equal(loading.policy.compiled.rules.length, count);
  }
});

test('a bad document never replaces a good one', async () => {
  const holder = new PolicyHolder(policyOf(OPEN));
  const good = holder.current;
  let swaps = 0;
  holder.subscribe(() => {
    swaps += 1;
  });
  const refused = await holder.offer('version: 1\napps: [app]\nrules: [{ id: a, alow: app }]', 'p.yaml');
  assert.ok(!refused.ok && refused.problems.length > 0);
  assert.equal(holder.current, good);
  assert.equal(swaps, 0);
  assert.ok((await holder.offer(SHUT, 'p.yaml')).ok);
  assert.notEqual(holder.current, good);
  assert.equal(swaps, 1);
});

test('subscribers get both policies after the swap, until they leave; one that throws stops no other', () => {
  const [open, shut] = [policyOf(OPEN), policyOf(SHUT)];
  const holder = new PolicyHolder(open);
  const seen: string[] = [];
  holder.subscribe(() => {
    throw new Error('planted');
  });
  const leave = holder.subscribe((policy, previous) => {
    assert.equal(holder.current, policy);
    seen.push(`${verdict(previous, requestWith())}->${verdict(policy, requestWith())}`);
  });
  assert.throws(() => holder.replace(shut), AggregateError);
  assert.throws(() => holder.replace(open), AggregateError);
  assert.deepEqual(seen, ['allow->deny', 'deny->allow']);
  leave();
  assert.throws(() => holder.replace(shut), AggregateError);
  assert.equal(seen.length, 2);
});

test('the same document again is no swap', () => {
  const holder = new PolicyHolder(policyOf(OPEN));
  holder.subscribe(() => assert.fail('told of a swap that was none'));
  holder.replace(policyOf(OPEN));
});

test('of two offers the later one is in force, whichever is loaded first', async () => {
  const gates = new Map<string, (loading: Loading) => void>();
  const holder = new PolicyHolder(
    policyOf(OPEN),
    (text) => new Promise((resolve) => gates.set(text, resolve)),
  );
  const [first, second] = [holder.offer('first', 'p'), holder.offer('second', 'p')];
  const later = policyOf(SHUT);
  gates.get('second')?.({ ok: true, policy: later, warnings: [] });
  gates.get('first')?.({ ok: true, policy: policyOf('version: 1\napps: [app, b]\nrules: []'), warnings: [] });
  await Promise.all([first, second]);
  assert.equal(holder.current, later);
});

test('what was admitted is in force when the offer is answered, whatever was offered meanwhile', async () => {
  const holder = new PolicyHolder(policyOf(OPEN), async (text, file) => loadPolicy(text, file));
  const inForce: string[] = [];
  const admitted: string[] = [];
  holder.subscribe(({ hash }) => void inForce.push(hash));
  let meanwhile: Promise<Loading>[] = [];
  await holder.offer(SHUT, 'p.yaml', async ({ hash }) => {
    admitted.push(hash);
    meanwhile = [
      holder.offer(SHUT, 'p.yaml', () => assert.fail('twice')),
      holder.offer('nonsense', 'p.yaml'),
    ];
    // Both are loaded by then.
    await new Promise((resolve) => setImmediate(resolve));
  });
  assert.equal(holder.current.hash, policyOf(SHUT).hash);
  assert.deepEqual(inForce, admitted);
  const [again, bad] = await Promise.all(meanwhile);
  assert.deepEqual([again?.ok, bad?.ok], [true, false]);
});

test('what must happen first happens before the swap, and if it fails nothing is swapped', async () => {
  const holder = new PolicyHolder(policyOf(OPEN));
  const good = holder.current;
  await assert.rejects(
    holder.offer(SHUT, 'p.yaml', async () => {
      throw new Error('not recorded');
    }),
    /not recorded/,
  );
  assert.equal(holder.current, good);
  let during: unknown;
  await holder.offer(SHUT, 'p.yaml', async () => {
    during = holder.current;
  });
  assert.equal(during, good);
  assert.notEqual(holder.current, good);
});
