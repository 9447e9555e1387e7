// The command that checks assertions, by itself and behind a real nginx that runs the configuration of the documents.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Agent, request } from 'undici';
import type { AssertionSigner } from '#gateway/pki/assertion';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { authority, certify, keyPem, newKeys, pemOf } from '#test/gateway/identity/service-certificates';
import { CONTEXT, ISSUER, signerOf } from '#test/gateway/pki/signing';
import { findProgram, requires } from '#test/requires';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'bin/sallyport.js');
const directory = mkdtempSync(join(tmpdir(), 'sallyport-verify-'));
const keys = join(directory, 'jwks.json');
const OPTIONS = ['verify-assertion', '--issuer', ISSUER, '--app', 'wiki', '--keys', keys];
let store: EmbeddedStore;
let signer: AssertionSigner;

before(async () => {
  store = openEmbeddedStore(join(directory, 'state'), Date.now);
  signer = await signerOf(store, { time: 0, now: Date.now });
  writeFileSync(keys, JSON.stringify(signer.jwks));
});
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function run(input: string, ...more: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [LAUNCHER, ...OPTIONS, ...more], { input, encoding: 'utf8' });
}

test('a good one prints its claims', () => {
  const { status, stdout, stderr } = run(`${signer.assertion(CONTEXT)}\n`);
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(JSON.parse(stdout).sub, 'https://id#1');
});

test('one that is not good says why, in one line, without repeating it', () => {
  const token = signer.assertion({ ...CONTEXT, app: 'payroll' });
  const { status, stdout, stderr } = run(token);
  assert.deepEqual([status, stdout], [1, '']);
  assert.equal(stderr, 'sallyport verify-assertion: audience-other: it is for "payroll", not for wiki\n');
});

for (const [what, more, says] of [
  ['an issuer with a path', ['--issuer', `${ISSUER}/`], /--issuer .* is not an origin/],
  ['a key set that is not there', ['--keys', join(directory, 'none')], /none: there is no such file/],
  ['an address that others reach', ['--listen', '0.0.0.0:9191'], /not a loopback address/],
  ['an assertion in the command line', ['eyJ'], /on standard input/],
] as const) {
  test(`${what} is wrong usage`, () => {
    const { status, stderr } = run('', ...more);
    assert.equal(status, 2);
    assert.match(stderr, says);
  });
}

test('nginx with the configuration of the documents lets in whom a gateway vouches for', {
  skip: requires('nginx'),
}, async (t) => {
  const reached: { user: unknown; groups: unknown }[] = [];
  const app = createServer(({ headers }, response) => {
    reached.push({ user: headers['x-user'], groups: headers['x-groups'] });
    response.end('the app');
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());
  const { port: appPort } = app.address() as AddressInfo;
  const [front = 0, checks = 0] = await freePorts(2);
  const checker = new Part(
    'checks',
    process.execPath,
    [LAUNCHER, ...OPTIONS, '--listen', `127.0.0.1:${checks}`],
    {
      cwd: directory,
      log: join(directory, 'checks.log'),
    },
  );
  t.after(() => checker.stop());
  await checker.said(/checking assertions/);
  const shown =
    /```nginx\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/assertion.md'), 'utf8'))?.[1] ?? '';
  const server = shown
    .replaceAll('127.0.0.1:8081', `127.0.0.1:${front}`)
    .replaceAll('127.0.0.1:9191', `127.0.0.1:${checks}`)
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${appPort}`);
  const nginx = nginxWith(server);
  t.after(() => nginx.stop());
  const ask = (path: string, assertion?: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${front}${path}`, {
      headers: {
        'X-User': 'mallory',
        ...(assertion === undefined ? {} : { 'X-Sallyport-Assertion': assertion }),
      },
    });
  await until('nginx answers', () => ask('/').catch(() => undefined));

  assert.equal((await ask('/', signer.assertion(CONTEXT))).status, 200);
  assert.deepEqual(reached, [{ user: 'https://id#1', groups: 'corp:eng,corp:staff' }]);
  const url = `https://127.0.0.1:${front}/a`;
  const bound = signer.assertion({
    ...CONTEXT,
    wishes: { bind: 'request' },
    request: { ...CONTEXT.request, url },
  });
  assert.equal((await ask('/a?b=c', bound)).status, 200);
  for (const bad of [undefined, 'x.y.z', signer.assertion({ ...CONTEXT, app: 'payroll' })]) {
    assert.equal((await ask('/', bad)).status, 401);
  }
  assert.equal((await ask('/b', bound)).status, 401, 'it is for another address');
  await checker.stop();
  assert.equal((await ask('/', signer.assertion(CONTEXT))).status, 500, 'nobody who could check is a no');
  assert.equal(reached.length, 2);
});

test('nginx with TLS and client certificates takes only what is bound to the one that was shown', {
  skip: requires('nginx'),
}, async (t) => {
  const now = Date.now();
  const root = await authority('Prod', now);
  const identity = async (id: string): Promise<{ cert: string; key: string }> => {
    const one = await certify('one', await newKeys(), root, { uris: [id], ca: false }, now);
    return { cert: pemOf(one), key: await keyPem(one) };
  };
  const [own, rack, thief] = [
    await identity('spiffe://a.b/own'),
    await identity('spiffe://a.b/rack'),
    await identity('spiffe://a.b/thief'),
  ];
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const app = createServer((_request, response) => response.end('the app')).listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());
  const [front = 0, checks = 0] = await freePorts(2);
  const words = [LAUNCHER, ...OPTIONS, '--require-certificate', '--listen', `127.0.0.1:${checks}`];
  const checker = new Part('checks', process.execPath, words, {
    ...{ cwd: directory, log: join(directory, 'tls-checks.log') },
  });
  t.after(() => checker.stop());
  await checker.said(/checking assertions/);
  const shown =
    /```nginx\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/assertion.md'), 'utf8'))?.[1] ?? '';
  const tls = `listen 127.0.0.1:${front} ssl; ssl_certificate ${file('own.pem', own.cert)};
    ssl_certificate_key ${file('own.key', own.key)}; ssl_client_certificate ${file('root.pem', pemOf(root))};
    ssl_verify_client on;`;
  const server = shown
    .replaceAll('listen 127.0.0.1:8081;', tls)
    .replaceAll('127.0.0.1:9191', `127.0.0.1:${checks}`)
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${(app.address() as AddressInfo).port}`);
  const nginx = nginxWith(server, 'nginx-tls');
  t.after(() => nginx.stop());
  const agents = [rack, thief].map((one) => new Agent({ connect: { rejectUnauthorized: false, ...one } }));
  t.after(() => Promise.all(agents.map((agent) => agent.destroy())));
  const [good, bad] = agents as [Agent, Agent];
  const { fingerprint256 } = new X509Certificate(rack.cert);
  const certificate = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  const bound = signer.assertion({ ...CONTEXT, certificate });
  const ask = async (dispatcher: Agent, assertion: string): Promise<number> => {
    // What a client says of certificates itself must not count.
    const headers = {
      'x-sallyport-assertion': assertion,
      'x-original-certificate': encodeURIComponent(rack.cert),
    };
    const { statusCode, body } = await request(`https://127.0.0.1:${front}/`, { dispatcher, headers });
    await body.dump();
    return statusCode;
  };
  await until('nginx answers', () => ask(good, bound).catch(() => undefined));
  assert.equal(await ask(good, bound), 200);
  assert.equal(await ask(bad, bound), 401, 'stolen');
  assert.equal(await ask(good, signer.assertion(CONTEXT)), 401, 'good on any connection');
});

function nginxWith(server: string, name = 'nginx'): Part {
  const home = join(directory, name);
  mkdirSync(home);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${home}/${name};`,
  );
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  writeFileSync(
    join(home, 'nginx.conf'),
    `${user} daemon off; worker_processes 1; pid ${home}/pid; events {} http { access_log off; ${temporary.join(' ')}\n${server}}`,
  );
  const args = ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')];
  return new Part('nginx', findProgram('nginx') ?? 'nginx', args, { cwd: home, log: join(home, 'output') });
}
