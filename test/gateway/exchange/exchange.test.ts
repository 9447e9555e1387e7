// Tokens in a person's name: who gets one and for what, and everything a service could try with what is not its own.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { createVerifier } from '#gateway/pki/verify';
import { CONTEXT, ISSUER } from '#test/gateway/pki/signing';
import { ExchangeBed, FRONT, GOOD, JWT, STORAGE } from './bed.ts';

const EDGE = 'spiffe://test.internal/gateway/edge-1';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const thumb = ({ certificate }: ExchangeBed): string =>
  Buffer.from(certificate?.fingerprint256.replaceAll(':', '') ?? '', 'hex').toString('base64url');

test('a token keeps who and which transaction, says one actor more and one app less, and is short and bound', async (t) => {
  const bed = await ExchangeBed.start(t);
  const assertion = bed.assertion();
  const { status, body } = await bed.ask(
    { subject_token: assertion, scope: 'GET HEAD' },
    { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  );
  assert.equal(status, 200);
  assert.deepEqual(
    [body['issued_token_type'], body['token_type'], body['expires_in'], body['scope']],
    [JWT, 'N_A', 60, 'GET HEAD'],
  );
  const token = String(body['access_token']);
  const said = decodeJwt(token);
  const from = decodeJwt(assertion);
  assert.deepEqual([said.sub, said['sid'], said['txn']], [from.sub, from['sid'], from['txn']]);
  assert.deepEqual(said['act'], { sub: FRONT, act: { sub: EDGE } });
  assert.deepEqual(said['cnf'], { 'x5t#S256': thumb(bed) });
  assert.equal(Number(said.exp) - Number(said.iat), 60);
  assert.deepEqual([said['scope'], said['trace'], said['network']], ['GET HEAD', TRACE, from['network']]);
  assert.equal(decodeProtectedHeader(token).typ, 'sallyport-delegation+jwt');
  for (const audience of ['wiki', 'storage']) {
    const verify = createVerifier({
      issuer: ISSUER,
      audience,
      keys: bed.signer.jwks as never,
      now: bed.clock.now,
    });
    await assert.rejects(verify(token), { name: 'AssertionError' }, 'it is no assertion');
  }
  assert.notEqual(said.aud, 'storage', 'also for those who look at the audience alone');
  const asked = bed.decided.map(({ who, asked: { clean, app, trace } }) => [
    who,
    clean.method,
    clean.path,
    app.id,
    trace,
  ]);
  assert.deepEqual(asked, [
    [FRONT, 'GET', '/', 'storage', TRACE],
    [CONTEXT.subject.id, 'GET', '/', 'storage', TRACE],
    [FRONT, 'HEAD', '/', 'storage', TRACE],
    [CONTEXT.subject.id, 'HEAD', '/', 'storage', TRACE],
  ]);
  assert.deepEqual(
    bed.events.map((event) => event.kind),
    ['token-exchanged'],
  );
  assert.ok(!JSON.stringify(bed.events).includes(token.slice(-20)));
});

test('what is asked for can be named by its address, which is then what is decided', async (t) => {
  const bed = await ExchangeBed.start(t);
  await bed.token({ audience: '', resource: 'https://storage.example.com:8445/a/%62?q=1' });
  assert.equal(bed.decided[0]?.asked.clean.path, '/a/b');
});

test('the next service passes it on: the chain grows, the scope only shrinks', async (t) => {
  const bed = await ExchangeBed.start(t);
  const first = await bed.use(await bed.token({ scope: 'GET HEAD' }));
  assert.deepEqual(first?.scope, ['GET', 'HEAD']);
  const second = bed.assertion({ app: 'storage', acting: first });
  bed.service = STORAGE;
  const token = await bed.token({ subject_token: second, audience: 'other', scope: 'GET' });
  const said = decodeJwt(token);
  const chain = { sub: STORAGE, act: { sub: EDGE, act: { sub: FRONT, act: { sub: EDGE } } } };
  assert.deepEqual([said['act'], said['scope'], said['txn']], [chain, 'GET', first?.txn]);
  assert.equal(decodeJwt(await bed.token({ subject_token: second, audience: 'other' }))['scope'], 'GET HEAD');
  const wider = await bed.ask({ subject_token: second, audience: 'other', scope: 'GET POST' });
  assert.deepEqual(
    [wider.status, wider.body['error'], wider.body['reason']],
    [400, 'invalid_scope', 'scope-wider'],
  );
});

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

  test('JSON in the place of a form: invalid_request', async () => {
    assert.equal(
      (await bed.ask('{}', { 'content-type': 'application/json' })).body['error'],
      'invalid_request',
    );
  });
});

describe('a token that is used', () => {
  let bed: ExchangeBed;
  let token: string;
  const undo: (() => Promise<void>)[] = [];
  after(async () => {
    for (const step of undo) await step();
  });
  before(async () => {
    bed = await ExchangeBed.start({ after: (step) => void undo.push(step) });
    token = await bed.token({ scope: 'GET' });
  });

  test('brings the person, from where they are, and what came with their name', async () => {
    const acting = await bed.use(token);
    assert.deepEqual(
      [acting?.person.id, acting?.network.address, acting?.act.sub],
      ['session-1', CONTEXT.address, FRONT],
    );
    assert.equal(await bed.use(undefined), undefined);
  });

  test('brings the device that the assertion told of, by its key', async () => {
    const subject_token = bed.assertion({ device: { id: 'laptop-7', attested: true }, deviceKey: 'thumb' });
    const acting = await bed.use(await bed.token({ subject_token }));
    assert.deepEqual([acting?.person.bond?.device, acting?.person.bond?.key], ['laptop-7', 'thumb']);
  });

  const cases: readonly [what: string, code: string, use: () => Promise<unknown>, set?: () => void][] = [
    ['at another app', 'delegation-audience', () => bed.use(token, { app: 'other' })],
    ['for another method', 'delegation-scope', () => bed.use(token, { method: 'POST' })],
    [
      'by another service',
      'delegation-service',
      () => bed.use(token),
      () => {
        bed.service = STORAGE;
      },
    ],
    [
      'over another connection',
      'delegation-key',
      () => bed.use(token),
      () => {
        bed.certificate = bed.certificates[1];
      },
    ],
    [
      'without a certificate',
      'delegation-key',
      () => bed.use(token),
      () => {
        bed.certificate = undefined;
      },
    ],
    [
      'after the session',
      'delegation-session',
      () => bed.use(token),
      () => {
        bed.session = undefined;
      },
    ],
    ['when it is an assertion', 'delegation-type', () => bed.use(bed.assertion())],
    [
      'changed',
      'delegation-signature',
      () => bed.use(token.replace(/\.[^.]+\./, (part) => part.replace(/.{2}\.$/, 'AA.'))),
    ],
    [
      'after a minute',
      'delegation-expired',
      () => bed.use(token),
      () => {
        bed.clock.time += 60_000;
      },
    ],
  ];
  for (const [what, code, use, set] of cases) {
    test(`${what}: ${code}`, async () => {
      const { service, certificate, session } = bed;
      const { time } = bed.clock;
      set?.();
      await assert.rejects(use(), { code }).finally(() => {
        Object.assign(bed, { service, certificate, session });
        bed.clock.time = time;
      });
    });
  }
});

test('a service with a token of its own proves a key each time, and no proof is good twice', async (t) => {
  const bed = await ExchangeBed.start(t);
  bed.certificate = undefined;
  const at = 'https://access.example.com/oauth2/token';
  const own = {
    client_assertion: 'x',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  };
  const dpop = bed.proof(at, 'POST');
  const token = await bed.token(own, { dpop });
  assert.deepEqual(decodeJwt(token)['cnf'], { jkt: await bed.thumbprint() });
  const again = await bed.ask(own, { dpop });
  assert.deepEqual([again.body['error'], again.body['reason']], ['invalid_dpop_proof', 'proof-replayed']);
  const use = 'https://storage.example.com/a';
  const good = bed.proof(use, 'GET', token);
  assert.equal((await bed.use(token, { dpop: good }))?.act.sub, FRONT);
  await assert.rejects(bed.use(token, { dpop: good }), { code: 'proof-replayed' });
  await assert.rejects(bed.use(token), { code: 'proof-missing' });
  await assert.rejects(bed.use(token, { dpop: bed.proof(use, 'POST', token) }), { code: 'proof-invalid' });
  const other = await ExchangeBed.start(t);
  await assert.rejects(bed.use(token, { dpop: other.proof(use, 'GET', token) }), { code: 'delegation-key' });
});
