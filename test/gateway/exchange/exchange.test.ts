// Tokens in a person's name: who gets one, for what, and what goes along from hop to hop.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { createVerifier } from '#gateway/pki/verify';
import { CONTEXT, ISSUER } from '#test/gateway/pki/signing';
import { ExchangeBed, FRONT, JWT, STORAGE } from './bed.ts';

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

test('gateways whose clocks are some seconds apart take each other’s word, and none that has ended', async (t) => {
  const bed = await ExchangeBed.start(t);
  const subject_token = bed.assertion();
  bed.clock.time -= 20_000;
  const token = await bed.token({ subject_token });
  bed.clock.time -= 20_000;
  assert.equal((await bed.use(token))?.person.id, 'session-1');
  bed.clock.time += 80_000;
  await assert.rejects(bed.use(token), { code: 'delegation-expired' });
  bed.clock.time -= 200_000;
  await assert.rejects(bed.use(token), { code: 'delegation-claims' });
});
