// What the agent answers on loopback: nothing to pages, and nothing but its own portal's challenges to browsers.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { type RunningAgent, startAgent } from '#connectors/device/agent';
import type { DeviceState } from '#connectors/device/key-store';
import { portalAgent } from '#connectors/device/transport';

const CHALLENGE = 'c'.repeat(43);
/** No TPM is there: what the agent would sign, it fails to sign. */
const key = { public: Buffer.alloc(90), private: Buffer.alloc(90) };
const device: DeviceState = {
  portal: 'https://127.0.0.1:1',
  device: 'd',
  name: 'laptop',
  tpm: 'swtpm:127.0.0.1:1',
  keys: { endorsement: 'P-256', attestation: key, session: key },
};

describe('the agent on loopback', () => {
  let agent: RunningAgent;
  let time = 0;
  const failures: string[] = [];

  before(async () => {
    agent = await startAgent(
      {
        device,
        agent: portalAgent(undefined),
        eventLog: '/nowhere',
        token: () => undefined,
        now: () => time,
        random: () => 0.5,
        onResult: () => undefined,
        onFailure: (error) => failures.push(error.message),
      },
      0,
    );
  });
  after(() => agent.close());

  function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = { host: `127.0.0.1:${agent.port}`, 'sec-fetch-mode': 'navigate', ...headers };
      request({ host: '127.0.0.1', port: agent.port, path, method, headers: sent }, (reply) => {
        assert.equal(reply.headers['access-control-allow-origin'], undefined);
        assert.equal(reply.headers['cache-control'], 'no-store');
        reply.resume().once('end', () => resolve(reply.statusCode ?? 0));
      })
        .once('error', reject)
        .end();
    });
  }

  test('a browser that navigates with a challenge is served, or told that the TPM is silent', async () => {
    time += 1000;
    assert.equal(await ask(`/bind?challenge=${CHALLENGE}`), 503);
    assert.equal(await ask(`/bind?challenge=${CHALLENGE}`, { 'sec-fetch-mode': '' }), 404);
  });

  const refused: readonly (readonly [string, string, Record<string, string>, string?])[] = [
    [
      'a name that was pointed here (DNS rebinding)',
      `/bind?challenge=${CHALLENGE}`,
      { host: 'evil.example' },
    ],
    ['localhost by name', `/bind?challenge=${CHALLENGE}`, { host: 'localhost' }],
    ['a page’s fetch', `/bind?challenge=${CHALLENGE}`, { 'sec-fetch-mode': 'cors' }],
    ['a page’s image', `/bind?challenge=${CHALLENGE}`, { 'sec-fetch-mode': 'no-cors' }],
    ['a form', `/bind?challenge=${CHALLENGE}`, {}, 'POST'],
    ['a preflight', `/bind?challenge=${CHALLENGE}`, {}, 'OPTIONS'],
    ['another path', `/?challenge=${CHALLENGE}`, {}],
    ['no challenge', '/bind', {}],
    ['something else to sign', '/bind?challenge=e30.e30', {}],
    ['a path that is no address', '//', {}],
    ['a path that leads elsewhere', `//evil.example/bind?challenge=${CHALLENGE}`, {}],
    ['a path that is no address either', '//a:b', {}],
  ];
  for (const [what, path, headers, method] of refused) {
    test(`${what} gets nothing`, async () => assert.equal(await ask(path, headers, method), 404));
  }

  test('whatever pages make a browser ask, the TPM is not kept busy', async () => {
    time += 1000;
    const statuses = await Promise.all(Array.from({ length: 8 }, () => ask(`/bind?challenge=${CHALLENGE}`)));
    assert.deepEqual(statuses.sort(), [429, 429, 429, 429, 503, 503, 503, 503]);
  });

  test('a TPM that cannot be reached is said to be, again and again', () => {
    assert.match(failures[0] ?? '', /no TPM answers at 127.0.0.1:1/);
  });
});

test('an agent whose sign-in is not safe to read says so and goes on', async () => {
  let unsafe = true;
  const { promise: said, resolve: say } = Promise.withResolvers<string>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<string>();
  const agent = await startAgent(
    {
      ...{ device, agent: portalAgent(undefined), eventLog: '/nowhere' },
      token() {
        if (unsafe) throw new Error('others could read it');
        ask('asked again');
        return undefined;
      },
      ...{ now: Date.now, random: () => 0, onResult: () => undefined },
      onFailure: (error) => say(error.message),
    },
    0,
  );
  assert.match(await said, /no TPM answers/);
  unsafe = false;
  assert.equal(await asked, 'asked again');
  await agent.close();
});
