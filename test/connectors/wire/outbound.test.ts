// The way out of this machine: what the environment names as a proxy is used, or said to be none; it is never overlooked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { outboundAgent } from '#connectors/wire/outbound';

/** A proxy that refuses; what it was asked for, with whose name. */
async function proxyIn(t: TestContext): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer();
  server.on('connect', ({ url, headers }, socket) => {
    const [, credentials = ''] = (headers['proxy-authorization'] ?? '').split(' ');
    asked.push(`${url} ${Buffer.from(credentials, 'base64')}`.trim());
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

/** Why a request does not get out. */
async function failureWith(env: NodeJS.ProcessEnv): Promise<string> {
  const outgoing = request('https://gateway.invalid/', { agent: outboundAgent({}, env) });
  outgoing.end();
  const [error] = (await once(outgoing, 'error')) as [Error];
  return error.message;
}

test('a proxy is used in whichever way it is written', async (t) => {
  const { port, asked } = await proxyIn(t);
  const at = `127.0.0.1:${port}`;
  for (const [env, name] of [
    [{ HTTPS_PROXY: `http://${at}` }, ''],
    [{ https_proxy: `HTTP://${at}/` }, ''],
    [{ HTTPS_PROXY: at }, ''],
    [{ HTTPS_PROXY: `ada:p%40ss@${at}` }, ' ada:p@ss'],
    [{ HTTPS_PROXY: 'socks5://127.0.0.1:1', https_proxy: `http://ada:p%40ss@${at}` }, ' ada:p@ss'],
  ] as const) {
    await failureWith(env);
    assert.deepEqual(asked.splice(0), [`gateway.invalid:443${name}`], JSON.stringify(env));
  }
});

test('what is no HTTP proxy is said to be none, without its password; nothing goes out directly', async () => {
  for (const proxy of [
    'socks5://ada:secret@127.0.0.1:1',
    'ftp://ada:secret@127.0.0.1:1',
    'http://ada:secret%zz@127.0.0.1:1',
    'http://ada:secret@:1',
    'ada:secret@127.0.0.1:99999',
  ]) {
    for (const name of ['HTTPS_PROXY', 'https_proxy']) {
      const message = await failureWith({ [name]: proxy });
      assert.match(message, new RegExp(`^${name} is not the address of an HTTP proxy`), proxy);
      assert.doesNotMatch(message, /secret/);
    }
  }
});
