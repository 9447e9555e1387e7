// Every kind of event, full or at its boundaries, must map to a valid ECS 9.4 document on one line, without secrets.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ecs from '@elastic/ecs';
import fc from 'fast-check';
import { ECS_VERSION, encodeLine } from '#siem/ecs/document';
import { catalogue, Mapper } from '#siem/ecs/mapper';
import type { EventKind, SallyportEvent } from '#siem/event';
import { eventOf } from './arbitrary.ts';
import { examples } from './examples.ts';
import { violations } from './schema.ts';

const id = '019cb830-5000-7a00-8000-000000000001';
const time = Date.parse('2026-03-04T09:12:13.456Z');
const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });
const kinds = Object.keys(catalogue) as EventKind[];

function lineOf(event: SallyportEvent): string {
  return encodeLine(mapper.document(event, id, time));
}

function documentOf(event: SallyportEvent): Record<string, Record<string, unknown>> {
  return JSON.parse(lineOf(event));
}

// Besides \n and \r: what Unicode, JavaScript or a terminal takes for a line break or an order.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/;

describe('the mapper', () => {
  test('follows the release of ECS that the schema package has', () => {
    assert.equal(ECS_VERSION, ecs.EcsVersion);
  });

  for (const kind of kinds) {
    test(`${kind}: the full example is valid and holds no secret`, () => {
      const line = lineOf(examples[kind]);
      assert.deepEqual(violations(JSON.parse(line)), []);
      assert.doesNotMatch(line, /hunter2/);
    });

    test(`${kind}: stays valid, on one line and well-formed whatever fills it`, () => {
      fc.assert(
        fc.property(eventOf(kind), (event) => {
          const line = lineOf(event);
          assert.doesNotMatch(line, UNSAFE);
          assert.ok(line.isWellFormed());
          const document = JSON.parse(line);
          assert.deepEqual(violations(document), []);
          assert.deepEqual(
            everyString(document).filter((text) => !text.isWellFormed()),
            [],
          );
        }),
        { numRuns: 300, seed: 4 },
      );
    });
  }
});

function everyString(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(everyString) : [];
}

describe('an access decision', () => {
  const denied = documentOf(examples['access-decided']);

  test('that denies is an enforced deny: outcome success, type denied', () => {
    const { event } = denied;
    assert.equal(event?.['outcome'], 'success');
    assert.deepEqual(event?.['category'], ['network', 'web']);
    assert.deepEqual(event?.['type'], ['access', 'denied', 'connection']);
    assert.equal(event?.['code'], 'no-rule-matched');
  });

  test('that allows names its rule and the policy it came from', () => {
    const { decision: _, explanation: __, ...rest } = examples['access-decided'];
    const allowed = documentOf({
      ...rest,
      decision: { verdict: 'allow', reason: 'allowed', rule: { id: 'sre-grafana', because: 'On call' } },
    });
    assert.deepEqual(allowed['event']?.['type'], ['access', 'allowed', 'connection']);
    assert.deepEqual(allowed['rule'], {
      id: 'sre-grafana',
      name: 'sre-grafana',
      description: 'On call',
      ruleset: 'sallyport-policy',
      version: rest.policyHash,
    });
  });

  test('that could not be made is a failure', () => {
    const { decision: _, ...rest } = examples['access-decided'];
    const failed = documentOf({ ...rest, decision: { verdict: 'deny', reason: 'error' } });
    assert.equal(failed['event']?.['outcome'], 'failure');
    assert.deepEqual(failed['event']?.['type'], ['access', 'denied', 'connection']);
  });

  test('carries its whole input, so that it can be decided again', () => {
    const decision = denied['sallyport']?.['decision'] as Record<string, unknown>;
    assert.deepEqual(decision['input'], examples['access-decided'].input);
    assert.deepEqual(decision['would_allow'], ['oncall-grafana']);
    assert.deepEqual(decision['would_deny'], ['embargo']);
  });

  test('keeps the names of query parameters and nothing of their values or of the referrer', () => {
    assert.equal(denied['url']?.['query'], 'from=REDACTED&token=REDACTED');
    const request = denied['http']?.['request'] as Record<string, unknown>;
    assert.equal(request['referrer'], 'https://portal.example.com');
  });

  test('says what each rule found without repeating a long path for each', () => {
    const { explanation, ...rest } = examples['access-decided'];
    const [nearest] = explanation?.nearest ?? [];
    assert.ok(explanation !== undefined && nearest !== undefined);
    const unmet = [{ criterion: 'paths', code: 'wrong-path', need: '/admin', have: `/${'a'.repeat(5_000)}` }];
    const changed = { ...explanation, nearest: [{ ...nearest, unmet }] } as typeof explanation;
    assert.doesNotMatch(lineOf({ ...rest, explanation: changed }), /a{257}/);
  });

  test('is found by everything an analyst pivots on', () => {
    assert.deepEqual(denied['related'], {
      ip: ['203.0.113.7'],
      user: ['https://idp.example#248289761001', 'Ada Example', 'ada@example.com'],
      hosts: ['grafana.example.com'],
      hash: [examples['access-decided'].policyHash],
    });
  });
});

test('a request is found by the host it was sent to, whatever the port, and is not called malformed for want of a sign-in', () => {
  const refused = { ...examples['request-refused'], host: 'grafana.example.com:8443' };
  const { url, related, message } = documentOf(refused);
  assert.deepEqual([url?.['domain'], url?.['port']], ['grafana.example.com', 8443]);
  assert.deepEqual(related?.['hosts'], ['grafana.example.com']);
  assert.match(String(message), /^A malformed or misdirected request was refused with 400/);
  const stranger = documentOf({ ...refused, code: 'not-signed-in', status: 401 });
  assert.equal(stranger['message'], 'A request of nobody who is known was refused with 401: not-signed-in');
});

test('what was taken away from a person is found by their address too', () => {
  const { subject } = examples['session-revoked'];
  const { related, user } = documentOf({ ...examples['access-revoked'], subject });
  assert.equal(user?.['email'], subject.email);
  assert.ok(String(related?.['user']).split(',').includes(String(subject.email)));
});
