// `sallyport why` through the real command line: what it shows, what it says when it cannot, and its exit codes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { INPUT_VERSION } from '#policy/input';
import { loadPolicy } from '#policy/load';
import type { AccessDecided } from '#siem/event';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { examples } from '../ecs/examples.ts';

const main = join(import.meta.dirname, '../../../bin/main.ts');
const POLICY = `version: 1
zone: Europe/Berlin
apps: [grafana.prod]
rules:
  - { id: sre-grafana, allow: grafana.prod, who: idp:eng-sre, methods: [GET], when: { mfa: 15m } }
`;
const now = (): number => Date.parse('2026-03-04T09:12:13.456Z');

function why(...argv: string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, [main, 'why', ...argv], { encoding: 'utf8' });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

describe('sallyport why', () => {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-why-'));
  const loading = loadPolicy(POLICY, 'policy.yaml');
  assert.ok(loading.ok);
  const { policy } = loading;
  const copy = join(state, 'policies', `${policy.hash}.yaml`);
  const ids = { denied: '', logout: '', hostile: '' };

  const decided: AccessDecided = {
    ...examples['access-decided'],
    decision: { verdict: 'deny', reason: 'no-rule-matched' },
    policyHash: policy.hash,
    input: { ...examples['access-decided'].input, version: INPUT_VERSION },
  };

  before(async () => {
    mkdirSync(join(state, 'policies'));
    writeFileSync(copy, POLICY);
    const outbox = new Outbox({ directory: join(state, 'outbox'), now });
    const gateway = { id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' };
    const recorder = new Recorder({ outbox, gateway, now });
    ids.denied = await recorder.record(decided);
    ids.logout = await recorder.record(examples.logout);
    const { request } = decided;
    assert.ok(request);
    ids.hostile = await recorder.record({
      ...decided,
      request: { ...request, path: '/\u001b[2J\u202e' },
      input: { ...decided.input, subject: { ...decided.input.subject, name: 'A\u001b]0;owned\u0007\r\n' } },
    });
    await outbox.close();
  });
  after(() => rmSync(state, { recursive: true }));

  test('shows who, what, why, the nearest rule and what would help', () => {
    const { code, out } = why(ids.denied, '--state', state);
    assert.equal(code, 0);
    for (const part of [
      'who          Ada Example, ada@example.com (https://idp.example#248289761001); groups idp:eng-sre',
      'device       laptop-17; attested true, secureBoot true',
      'request      GET https://grafana.example.com/d/payments?from=REDACTED&token=REDACTED',
      'reason       no-rule-matched',
      `policy       ${policy.hash}`,
      'sre-grafana (allow)',
      'unmet  mfa: needs',
      '[mfa-too-old]',
      'Remedy: sign in again',
    ]) {
      assert.ok(out.includes(part), `${part}\n\nis not in\n\n${out}`);
    }
  });

  test('takes the id as people paste it, and prints JSON', () => {
    const { code, out } = why(` ${ids.denied.toUpperCase()} `, '--state', state, '--json');
    assert.equal(code, 0);
    const trace = JSON.parse(out);
    assert.equal(trace.event.event.id, ids.denied);
    assert.equal(trace.explanation.nearest[0].rule, 'sre-grafana');
    assert.equal(trace.agrees, true);
  });

  test('sends no control character of a client to the terminal', () => {
    const { out } = why(ids.hostile, '--state', state);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  test('shows an event that is no decision for what it is', () => {
    const { code, out } = why(ids.logout, '--state', state);
    assert.equal(code, 0);
    assert.match(out, /ada@example.com signed out/);
    assert.match(out, /not an access decision/);
  });

  test('says so when the copy of the policy was changed or is gone, and shows the record', () => {
    appendFileSync(copy, '# changed\n');
    const changed = why(ids.denied, '--state', state);
    assert.equal(changed.code, 0);
    assert.match(changed.out, /was changed/);
    rmSync(copy);
    const gone = why(ids.denied, '--state', state);
    assert.match(gone.out, /copy of the policy that decided is gone/);
    assert.match(gone.out, /reason {7}no-rule-matched/);
    writeFileSync(copy, POLICY);
  });

  test('answers 1 for an unknown id and says what to check', () => {
    const { code, err } = why('019cb830-5000-7a00-8000-000000000001', '--state', state);
    assert.equal(code, 1);
    assert.match(err, /another gateway, or longer ago/);
  });

  for (const [name, argv] of [
    ['no id', ['--state', state]],
    ['no state', [ids.denied]],
    ['a malformed id', ['../../etc/passwd', '--state', state]],
    ['a random UUID', ['3b241101-e2bb-4255-8caf-4136c566a962', '--state', state]],
    ['a directory that is no state', ['019cb830-5000-7a00-8000-000000000001', '--state', tmpdir()]],
    ['an unknown option', ['019cb830-5000-7a00-8000-000000000001', '--sate', state]],
  ] as const) {
    test(`answers 2 for ${name}`, () => {
      const { code, out, err } = why(...argv);
      assert.equal(code, 2);
      assert.equal(out, '');
      assert.match(err, /^sallyport why: /);
    });
  }
});
