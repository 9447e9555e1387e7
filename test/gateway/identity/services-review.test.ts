// A gateway that asks a cluster through its connectors: what it sends them, and that nothing they answer but a yes of the
// API lets anybody in.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { decodeQuestion, encodeReview, type ReviewQuestion } from '#connectors/wire/token-review';
import type { GatewayConfig } from '#gateway/config';
import type { IssuerConfig, ServicesConfig } from '#gateway/identity/services-config';
import { openServices, servedBy } from '#gateway/services';
import type { Answered, Question } from '#gateway/tunnel/relay';
import { authority, pemOf } from './service-certificates.ts';

const ISSUER = 'https://kubernetes.example';
const USER = { username: 'system:serviceaccount:shop:cart', uid: 'sa-1', extra: new Map() };
const YES = encodeReview({ authenticated: true, user: USER, audiences: ['sallyport'] });

const answered = (body: Buffer, status = 200): Answered => ({ ok: true, status, body });
const failed = (failure: 'no-connector' | 'app-timeout'): Answered => ({ ok: false, failure, detail: 'why' });

const ANSWERS: readonly [string, Answered, string][] = [
  ['yes', answered(YES), 'k8s:cart'],
  ['no', answered(encodeReview({ authenticated: false })), 'token-review-refused'],
  [
    'yes to somebody else',
    answered(Buffer.from(YES.toString().replace('sa-1', 'sa-2'))),
    'token-review-other',
  ],
  ['yes with another status', answered(YES, 201), 'token-review-unavailable'],
  ['nothing', answered(Buffer.alloc(0)), 'token-review-unavailable'],
  ['half of a yes', answered(YES.subarray(0, -2)), 'token-review-unavailable'],
  ['a yes of its own making', answered(Buffer.from('{"authenticated":true}')), 'token-review-unavailable'],
  ['what is no text', answered(Buffer.from([0xff, 0xfe, 0])), 'token-review-unavailable'],
  ['not at all', failed('app-timeout'), 'token-review-unavailable'],
  ['because there is none', failed('no-connector'), 'token-review-unavailable'],
];

test('of all that a connector can answer only the API’s yes is one', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-review-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const keys = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256' };
  writeFileSync(join(place, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
  const issuer: IssuerConfig = {
    ...{ name: 'k8s', issuer: ISSUER, audiences: ['sallyport'], keys: join(place, 'jwks.json') },
    ...{
      algorithms: ['ES256'],
      require: {},
      subject: '{/kubernetes.io/serviceaccount/name}',
      maxLife: 3_600_000,
    },
    review: { cluster: 'prod', connectors: ['rack-1', 'rack-2'], keep: 1_000 },
  };
  const services = { listen: { host: '127.0.0.1', port: 0 }, trustDomains: [], issuers: [issuer] };
  const config = { connectors: { trustDomain: 'a.b' }, apps: [], services } as unknown as GatewayConfig;
  assert.deepEqual(servedBy(config), [
    { id: 'sallyport.token-review.prod', connectors: ['rack-1', 'rack-2'] },
  ]);

  const asked: Question[] = [];
  const warned: string[] = [];
  let answer: Answered = failed('no-connector');
  const tunnels = {
    coming: () => undefined,
    ask: async (question: Question) => {
      asked.push(question);
      return answer;
    },
  };
  const log = { warn: (_: object, words: string) => void warned.push(words) };
  const own = pemOf(await authority('Own', Date.now()));
  const parts = { log: log as never, now: Date.now, revoked: () => false, tunnels };
  const known = openServices(config, services as ServicesConfig, own, parts, []);
  let count = 0;
  const token = (): Promise<string> => {
    count += 1;
    const account = { 'kubernetes.io': { serviceaccount: { name: 'cart', uid: 'sa-1' } } };
    return new SignJWT({ ...account, jti: String(count) })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(ISSUER)
      .setAudience('sallyport')
      .setSubject(USER.username)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(keys.privateKey);
  };
  for (const [what, given, verdict] of ANSWERS) {
    answer = given;
    const bearer = await token();
    const socket = { getPeerX509Certificate: () => undefined };
    const request = { socket, headers: { authorization: `Bearer ${bearer}` } } as unknown as IncomingMessage;
    const found = await known.identify(request, '127.0.0.1');
    assert.equal(found.ok ? found.session.subject.id : found.code, verdict, what);
    const { app, method, path, body } = asked.at(-1) as Question;
    assert.deepEqual(
      [app, method, path],
      ['sallyport.token-review.prod', 'POST', '/apis/authentication.k8s.io/v1/tokenreviews'],
    );
    const question: ReviewQuestion = { token: bearer, audiences: ['sallyport'] };
    assert.deepEqual(decodeQuestion(body), question);
  }
  assert.equal(warned.length, 1, 'the log says once a minute that there is no answer');
});
