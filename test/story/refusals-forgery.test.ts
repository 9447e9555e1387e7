// Somebody who may use one app and says more than is true: spoofed identities, requests inside requests, foreign pages
// that open WebSockets, cookies and assertions used elsewhere. The app learns nothing but what the gateway proves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { sendRaw } from './raw.ts';
import { stepsOf } from './steps.ts';

const SPOOFED = [
  'X-Sallyport-Assertion',
  'X-Sallyport-User',
  'X-SALLYPORT.ASSERTION',
  'X-Forwarded-For',
  'X-Forwarded-User',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'Forwarded',
  'X-Real-IP',
  'X-Client-IP',
  'True-Client-IP',
  'CF-Connecting-IP',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-HTTP-Method-Override',
  'X-Request-Id',
  'Remote-User',
  'X-User',
  'X-Groups',
  'X-Auth-Request-Email',
  'X-Goog-IAP-JWT-Assertion',
  'X-Ssl-Client-Cert',
  'Via',
];

test('an app learns nothing but what the gateway proves', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { nginx, receiver, ports, portal } = installation;
  const step = stepsOf(t);
  const [ada, ben] = [installation.visitor(), installation.visitor()];
  for (const app of ['wiki', 'drop', 'mirror'])
    await ada.signIn(installation.originOf(app), 'ada', 'password');
  await ben.signIn(installation.originOf('wiki'), 'ben', 'password');
  const cookieOf = (app: string): string => ada.cookieHeader(`${app}.localhost`);
  const asked = (): string[] => nginx.log().map(({ request }) => request);
  const request = (app: string, line: string, lines: readonly string[], body = ''): string =>
    [`${line} HTTP/1.1`, `Host: ${app}.localhost:${ports.people}`, ...lines, '', body].join('\r\n');

  await step('identities and addresses that a client claims do not arrive; ours do', async () => {
    const value = 'root@evil.example';
    const forged = [...SPOOFED.map((name) => `${name}: ${value}`), `Cookie: theme=dark; ${cookieOf('drop')}`];
    // Hop-by-hop by the client's wish: it must not take away what the app relies on (Connection header abuse).
    const hop = 'Connection: close, X-Sallyport-Assertion, X-Forwarded-For, Forwarded, traceparent, Host';
    const { text } = await sendRaw(
      installation,
      request('drop', 'GET /whoami', [...forged, hop]),
      'drop.localhost',
    );
    assert.doesNotMatch(text, /evil\.example/);
    const { claims, headers } = JSON.parse(
      text.slice(text.indexOf('{"claims"'), text.lastIndexOf('}') + 1),
    ) as {
      claims: { name: string };
      headers: string[];
    };
    assert.equal(claims.name, 'Ada Ferrara');
    const names = headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const sent = (name: string): string | undefined => headers[names.indexOf(name) * 2 + 1];
    assert.equal(sent('x-forwarded-for'), '127.0.0.1');
    assert.equal(sent('x-forwarded-host'), `drop.localhost:${ports.people}`);
    assert.equal(sent('host'), `drop.localhost:${ports.people}`);
    assert.equal(sent('cookie'), 'theme=dark');
    assert.equal(names.filter((name) => name === 'x-sallyport-assertion').length, 1);
  });

  await step('a request inside a body stays a body', async () => {
    const inner = request('drop', 'GET /smuggled', [`Cookie: ${cookieOf('drop')}`]);
    const lines = [`Cookie: ${cookieOf('drop')}`, `Content-Length: ${inner.length}`, 'Connection: close'];
    const { statuses, text } = await sendRaw(
      installation,
      request('drop', 'POST /upload', lines, inner),
      'drop.localhost',
    );
    assert.deepEqual(statuses, [200]);
    assert.match(text, new RegExp(`"bytes":${inner.length}`));
    assert.ok(!receiver.seen.some(({ line }) => line.includes('smuggled')));
  });

  await step('requests sent in one go are decided one by one', async () => {
    const cookie = `Cookie: ${ben.cookieHeader('wiki.localhost')}`;
    const bytes = ['GET /one', 'DELETE /two', 'GET /three']
      .map((line) => request('wiki', line, [cookie]))
      .join('');
    const { statuses } = await sendRaw(installation, bytes, 'wiki.localhost');
    assert.deepEqual(statuses, [404, 403, 404]);
    const reached = asked().filter((line) => / \/(?:one|two|three) /.test(line));
    assert.deepEqual(reached, ['GET /one HTTP/1.1', 'GET /three HTTP/1.1']);
  });

  await step('an upgrade that the app does not take cannot carry a second request', async () => {
    const lines = [
      `Cookie: ${cookieOf('wiki')}`,
      `Origin: ${installation.originOf('wiki')}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ];
    const hidden = request('wiki', 'GET /hidden', [`Cookie: ${cookieOf('wiki')}`]);
    const { statuses, closed } = await sendRaw(
      installation,
      request('wiki', 'GET /up', lines) + hidden,
      'wiki.localhost',
    );
    assert.deepEqual([statuses, closed], [[404], true]);
    assert.ok(!asked().some((line) => line.includes('hidden')));
  });

  await step('only the app’s own pages open WebSockets to it', async () => {
    const before = receiver.seen.length;
    const open = async (host: string, ...lines: string[]): Promise<readonly number[]> => {
      const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
      const bytes = request(host, 'GET /echo', [...upgrade, key, ...lines]);
      return (await sendRaw(installation, bytes, `${host}.localhost`)).statuses;
    };
    const cookie = `Cookie: ${cookieOf('drop')}`;
    assert.deepEqual(await open('drop', cookie, 'Origin: https://evil.example'), [403]);
    assert.deepEqual(await open('drop', cookie, `Origin: ${installation.originOf('wiki')}`), [403]);
    assert.deepEqual(await open('drop', cookie, `Origin: ${portal}`), [403]);
    assert.deepEqual(await open('drop', cookie, 'Origin: null'), [403]);
    assert.deepEqual(await open('drop', cookie), [403]);
    assert.deepEqual(await open('drop', `Origin: ${installation.originOf('drop')}`), [401]);
    assert.deepEqual(await open('access', `Origin: ${portal}`), [403]);
    assert.equal(receiver.seen.length, before);
    assert.deepEqual(await open('drop', cookie, `Origin: ${installation.originOf('drop')}`), [101]);
    const codes = installation.events().map(({ event }) => event.code);
    assert.equal(codes.filter((code) => code === 'upgrade-origin').length, 6);
  });

  await step('a cookie opens the host it was made for, and no other', async () => {
    for (const [cookie, app] of [
      [cookieOf('wiki'), 'drop'],
      [cookieOf('drop'), 'wiki'],
      [ada.cookieHeader('access.localhost'), 'wiki'],
    ] as const) {
      const { statuses } = await sendRaw(
        installation,
        request(app, 'GET /stolen', [`Cookie: ${cookie}`]),
        `${app}.localhost`,
      );
      assert.deepEqual(statuses, [401]);
    }
    assert.ok(!asked().some((line) => line.includes('stolen')));
    assert.ok(!receiver.seen.some(({ line }) => line.includes('stolen')));
  });

  await step('an assertion made for another app is refused by the app itself', async () => {
    const reply = await ada.ask(`${installation.originOf('mirror')}/other-audience`);
    assert.equal(reply.status, 401);
    assert.equal(receiver.refused.at(-1), 'GET /other-audience');
  });

  const unparsable = (): number => installation.events().filter(({ event }) => event.code === 'parse').length;
  await step('what follows a response cannot put a second head into it', async () => {
    const before = unparsable();
    const bytes = `${request('wiki', 'GET /large.bin', [`Cookie: ${cookieOf('wiki')}`])}\0\0garbage\r\n\r\n`;
    const { statuses } = await sendRaw(installation, bytes, 'wiki.localhost');
    assert.ok(statuses.length <= 1, `statuses ${statuses}`);
    await until('the garbage is recorded', () => unparsable() > before);
  });

  await step('a connection that breaks off is no refusal, and a refused one is recorded once', async () => {
    const before = unparsable();
    await breakOff(installation, 'GET / HTTP/1.1\r\nHost: wiki');
    await breakOff(installation, request('wiki', 'POST /', ['Content-Length: 9'], 'half'));
    assert.equal(unparsable(), before);
    const socket = await dial(installation);
    socket.on('error', () => {});
    for (let i = 0; i < 50 && socket.writable; i += 1) {
      socket.write('\x01\x02\x03\r\n\r\n');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    socket.destroy();
    await until('the refusal is recorded', () => unparsable() > before);
    assert.equal(unparsable(), before + 1);
  });
});

function dial({ ports, ca }: StoryInstallation): Promise<ReturnType<typeof connect>> {
  const { promise, resolve } = Promise.withResolvers<ReturnType<typeof connect>>();
  const socket = connect({ host: '127.0.0.1', port: ports.people, ca, servername: 'wiki.localhost' }, () =>
    resolve(socket),
  );
  return promise;
}

/** Sends a part of something and goes away; answers when the gateway has noticed. */
async function breakOff(installation: StoryInstallation, bytes: string): Promise<void> {
  const socket = await dial(installation);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {}).resume();
  socket.end(bytes);
  await closed;
}
