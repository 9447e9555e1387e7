// Connectors that are not who they say: tokens that are old, used or made up, certificates of others, apps they were
// never given. None becomes a tunnel, and each attempt is recorded.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { KeyObject, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { request } from 'undici';
import WebSocket from 'ws';
import { enrol } from '#connectors/link/enrol';
import { loadIdentity } from '#connectors/link/identity';
import { EnrolError, readToken } from '#connectors/link/token';
import { SUBPROTOCOL } from '#connectors/wire/limits';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

const PREFIX = 'sallyport-enrol.';
const FAR = Date.UTC(2100, 0);

/** A token with other claims, its secret untouched. */
function altered(token: string, change: object): string {
  const claims = JSON.parse(Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8'));
  return PREFIX + Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
}

test('a connector that is not who it says becomes no tunnel', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { ports, nginx } = installation;
  const step = stepsOf(t);
  const gateway = new URL(`https://localhost:${ports.connectors}`);
  const authority = await openAuthority(installation.path('state/connector-ca'), 'x', Date.now);
  const count = async (): Promise<number | undefined> => installation.metric('sallyport_connectors');

  /** Spends a token without the checks that an honest connector makes first. */
  const spend = async (token: string): Promise<string> => {
    const grant = { text: token, name: 'rack-1', ca: authority.fingerprint, expires: FAR };
    const error = await enrol(gateway, grant).then(
      () => assert.fail('it was given a certificate'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof EnrolError, String(error));
    assert.doesNotMatch(error.message, /[\w-]{43}/, 'no secret in the message');
    return /\(([a-z-]+)\)/.exec(error.message)?.[1] ?? error.message;
  };
  const lastCode = (action: string): string | undefined =>
    installation.events().findLast(({ event }) => event.action === action)?.event.code;

  await step('a token that is used, expired, altered or made up', async () => {
    const used = await installation.token('used.token');
    await enrol(gateway, readToken(used, Date.now()));
    const old = await installation.token('old.token', '--life', '1s');
    const fresh = await installation.token('fresh.token');
    await sleep(1_100);
    for (const [token, code] of [
      [used, 'token-used'],
      [old, 'token-expired'],
      [altered(old, { exp: FAR / 1000 }), 'token-used'],
      [altered(fresh, { secret: 'A'.repeat(43) }), 'token-used'],
      [altered(fresh, { name: 'rack-2' }), 'token-used'],
      // That attempt has burnt it.
      [fresh, 'token-used'],
      [`${PREFIX}e30`, 'token-malformed'],
      ['', 'token-malformed'],
    ] as const) {
      assert.equal(await spend(token), code);
      assert.equal(lastCode('connector-enrolment-refused'), code);
    }
  });

  await step('of many who race with one token, one gets in', async () => {
    const token = readToken(await installation.token('race.token'), Date.now());
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => enrol(gateway, token)));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  await step('an honest connector refuses a token that has expired before it sends it', async () => {
    await installation.token('late.token', '--life', '1s');
    await sleep(1_100);
    installation.write(
      'other.yaml',
      `version: 1\nname: rack-1\ngateway: ${gateway.origin}\nstate: ./other\napps: { wiki: { url: "http://127.0.0.1:1" } }\n`,
    );
    const { code, output } = await installation.sallyport(
      'connector',
      '--config',
      'other.yaml',
      '--token-file',
      'late.token',
    );
    assert.equal(code, 1);
    assert.match(output, /expired at .*Ask for a new one/);
  });

  await step('certificates of others, of nobody, and of one who was never enrolled', async () => {
    const foreign = await openAuthority(installation.path('foreign-ca'), 'Sallyport connectors', Date.now);
    const mine = loadIdentity(installation.path('connector-state')) ?? assert.fail('no identity');
    const certificateFrom = async (from: typeof authority): Promise<object> => {
      const { certificate, key } = await from.issueServer(['rack-1'], 3_600_000);
      return { cert: certificate, key };
    };
    const cases: readonly (readonly [string, object, string])[] = [
      ['none', {}, 'certificate-missing'],
      ['another authority of the same name', await certificateFrom(foreign), 'certificate-untrusted'],
      ['ours, but a server’s', await certificateFrom(authority), 'certificate-untrusted'],
    ];
    for (const [what, credentials, code] of cases) {
      assert.equal(await dialWith(gateway, authority.certificate, credentials, '/v1/tunnel'), 403, what);
      assert.equal(lastCode('connector-refused'), code, what);
    }
    // Issued by our authority, in the right form, for a name that is known: but no enrolment ever handed it out.
    const stray = await strayCertificate(authority);
    assert.equal(await dialWith(gateway, authority.certificate, stray, '/v1/tunnel'), 403);
    assert.equal(lastCode('connector-refused'), 'certificate-revoked');
    const own = { cert: mine.certificate, key: mine.key };
    assert.equal(await dialWith(gateway, authority.certificate, own, '/elsewhere'), 403);
    assert.equal(lastCode('connector-refused'), 'wrong-address');
    assert.equal(await count(), 1);
  });

  await step(
    'renewal without a certificate, and requests that are none, are refused and recorded',
    async () => {
      for (const [path, body, status, code] of [
        ['/v1/renew', '{"csr":"x"}', 401, 'certificate-missing'],
        ['/v1/enrol', 'not JSON', 400, 'bad-request'],
        ['/v1/enrol', '{"token":"x"}', 400, 'bad-request'],
        ['/v1/enrol', `{"token":"${'x'.repeat(70_000)}","csr":""}`, 400, 'bad-request'],
        ['/v1/renew', '{}', 401, 'certificate-missing'],
      ] as const) {
        const before = installation.events().length;
        const dispatcher = installation.dispatcher(authority.certificate);
        const reply = await request(new URL(path, gateway), { method: 'POST', body, dispatcher });
        assert.equal(reply.statusCode, status, path);
        const codes = installation
          .events()
          .slice(before)
          // The log may happen to sign what came before.
          .filter(({ event }) => event.action !== 'ledger-checkpoint')
          .map(({ event }) => event.code);
        assert.deepEqual(codes, [code], `${path} ${body.slice(0, 20)}`);
      }
    },
  );

  await step('a connector that offers an app it was not given is not asked for it', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
    await installation.connector.stop();
    await installation.token('again.token');
    installation.write(
      'greedy.yaml',
      `version: 1\nname: rack-1\ngateway: ${gateway.origin}\nstate: ./greedy\napps:\n  wiki: { url: "http://127.0.0.1:${ports.nginx}" }\n  spare: { url: "http://127.0.0.1:${ports.nginx}" }\n`,
    );
    installation.run('greedy', ['connector', '--config', 'greedy.yaml', '--token-file', 'again.token']);
    await until('it is connected', async () => (await count()) === 1);
    await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
    const before = nginx.log().length;
    const reply = await ada.signIn(`${installation.originOf('spare')}/`, 'ada', 'password');
    assert.equal(reply.status, 502);
    assert.equal(nginx.log().length, before);
  });
});

/** The status that a tunnel's handshake is answered with. */
async function dialWith(gateway: URL, ca: string, credentials: object, path: string): Promise<number> {
  const ws = new WebSocket(`wss://${gateway.host}${path}`, SUBPROTOCOL, { ca, ...credentials });
  ws.on('error', () => {});
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }];
  ws.terminate();
  return response.statusCode;
}

/** A connector's certificate that the authority signed and the gateway knows nothing of. */
async function strayCertificate(authority: Authority): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=stray',
    keys,
    signingAlgorithm,
  });
  const uri = 'spiffe://sallyport.internal/connector/rack-1';
  const grant = { kind: 'admin', id: 'test' } as const;
  const wish = { csr: request.toString('pem'), uri, life: 3_600_000, grant };
  const { certificate } = await authority.issueClient(wish);
  return {
    cert: certificate,
    key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
