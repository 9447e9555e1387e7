// Everything that gets no token in a person's name, each with its own reason.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CONTEXT } from '#test/gateway/pki/signing';
import { ExchangeBed, FRONT, GOOD, STORAGE } from './bed.ts';

const EDGE = 'spiffe://test.internal/gateway/edge-1';

describe('refused at the token endpoint', () => {
  let bed: ExchangeBed;
  const undo: (() => Promise<void>)[] = [];
  after(async () => {
    for (const step of undo) await step();
  });
  before(async () => {
    bed = await ExchangeBed.start({ after: (step) => void undo.push(step) });
  });

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const long = Array.from({ length: 8 }).reduce<object>((act, _, i) => ({ sub: `spiffe://a.b/${i}`, act }), {
    sub: EDGE,
  });
  const half = (): number => Math.floor(bed.clock.time / 1000);
  type Form = Readonly<Record<string, string | undefined>> | string;
  const cases: readonly [
    what: string,
    error: string,
    reason: string,
    form: () => Form | Promise<Form>,
    set?: () => void,
  ][] = [
    ['another grant', 'unsupported_grant_type', 'grant-type', () => ({ grant_type: 'client_credentials' })],
    ['no assertion', 'invalid_request', 'malformed', () => ({ subject_token: undefined })],
    [
      'an assertion twice',
      'invalid_request',
      'malformed',
      () => `${new URLSearchParams(GOOD)}&subject_token=a&subject_token=b`,
    ],
    ['another kind of token', 'invalid_request', 'malformed', () => ({ subject_token_type: 'urn:x' })],
    ['another kind wanted', 'invalid_request', 'malformed', () => ({ requested_token_type: 'urn:x' })],
    ['an actor beside the client', 'invalid_request', 'malformed', () => ({ actor_token: 'x' })],
    ['a body without end', 'invalid_request', 'malformed', () => 'x'.repeat(40_000)],
    ['no target', 'invalid_target', 'target', () => ({ audience: undefined })],
    ['an unknown target', 'invalid_target', 'target', () => ({ audience: 'nowhere' })],
    [
      'two targets',
      'invalid_target',
      'target',
      () => `${new URLSearchParams(GOOD)}&audience=other&subject_token=a`,
    ],
    ['two that differ', 'invalid_target', 'target', () => ({ resource: 'https://other.example.com/' })],
    [
      'an ambiguous address',
      'invalid_target',
      'target',
      () => ({ resource: 'https://storage.example.com/a%2f..%2fb' }),
    ],
    ['a plain address', 'invalid_target', 'target', () => ({ resource: 'http://storage.example.com/' })],
    ['a scope that is none', 'invalid_scope', 'scope', () => ({ scope: 'get *' })],
    [
      'an unknown client',
      'invalid_client',
      'certificate-chain',
      () => ({}),
      () => {
        bed.service = undefined;
      },
    ],
    [
      'a client proven twice',
      'invalid_request',
      'malformed',
      () => ({
        client_assertion: 'x',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    ],
    [
      'a client without a key',
      'invalid_dpop_proof',
      'proof-missing',
      () => ({}),
      () => {
        bed.certificate = undefined;
      },
    ],
    [
      'another service’s assertion',
      'unauthorized_client',
      'service-other',
      () => ({}),
      () => {
        bed.service = STORAGE;
      },
    ],
    [
      'the assertion of an app that passes nothing on',
      'unauthorized_client',
      'service-other',
      () => ({ subject_token: bed.assertion({ app: 'other' }) }),
    ],
    ['nonsense', 'invalid_request', 'subject-malformed', () => ({ subject_token: 'x.y.z' })],
    ['megabytes', 'invalid_request', 'subject-malformed', () => ({ subject_token: 'x'.repeat(20_000) })],
    [
      'an expired assertion',
      'invalid_request',
      'subject-expired',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), { exp: half() - 1 }) }),
    ],
    [
      'one signed by a stranger',
      'invalid_request',
      'subject-signature',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), {}, {}, stranger) }),
    ],
    [
      'one with an unknown key',
      'invalid_request',
      'subject-signature',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), {}, { kid: 'x' }) }),
    ],
    [
      'one of another installation',
      'invalid_request',
      'subject-issuer',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), { iss: 'https://evil.example' }) }),
    ],
    [
      'a token in the place of an assertion',
      'invalid_request',
      'subject-type',
      async () => ({ subject_token: await bed.token() }),
    ],
    [
      'one without a chain',
      'invalid_request',
      'subject-claims',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), { act: undefined }) }),
    ],
    [
      'a loop',
      'invalid_request',
      'subject-loop',
      async () => ({
        subject_token: await bed.resigned(bed.assertion(), {
          act: { sub: EDGE, act: { sub: FRONT, act: { sub: EDGE } } },
        }),
      }),
    ],
    [
      'a chain that is too long',
      'invalid_request',
      'subject-too-long',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), { act: long }) }),
    ],
    [
      'a session that ended',
      'invalid_request',
      'subject-session',
      () => ({}),
      () => {
        bed.session = undefined;
      },
    ],
    [
      'a session of somebody else',
      'invalid_request',
      'subject-session',
      async () => ({ subject_token: await bed.resigned(bed.assertion(), { sub: 'https://id#2' }) }),
    ],
    [
      'what the service may not',
      'invalid_target',
      'denied-service',
      () => ({}),
      () => {
        bed.denied.add(FRONT);
      },
    ],
    [
      'what the person may not',
      'invalid_target',
      'denied-person',
      () => ({}),
      () => {
        bed.denied.add(CONTEXT.subject.id);
      },
    ],
  ];
  for (const [what, error, reason, form, set] of cases) {
    test(`${what}: ${error}, ${reason}`, async () => {
      const asked = await form();
      const { service, certificate, session } = bed;
      set?.();
      const { status, body } = await bed.ask(asked);
      Object.assign(bed, { service, certificate, session });
      bed.denied.clear();
      assert.deepEqual([body['error'], body['reason']], [error, reason], String(body['error_description']));
      assert.equal(status, error === 'invalid_client' ? 401 : 400);
      assert.ok(!('access_token' in body));
      const recorded = bed.events.at(-1);
      assert.deepEqual(recorded?.kind === 'token-exchange-refused' && [recorded.code, recorded.reason], [
        error,
        reason,
      ]);
    });
  }

  test('a decision that cannot be made is no refusal, but something to try again', async () => {
    for (const who of [FRONT, CONTEXT.subject.id]) {
      bed.undecided.add(who);
      const before = bed.events.length;
      const { status, body } = await bed.ask({});
      bed.undecided.clear();
      assert.deepEqual([status, body['error']], [503, 'no decision about storage']);
      assert.equal(bed.events.length, before);
    }
  });

  test('JSON in the place of a form: invalid_request', async () => {
    assert.equal(
      (await bed.ask('{}', { 'content-type': 'application/json' })).body['error'],
      'invalid_request',
    );
  });
});
