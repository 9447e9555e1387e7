// Who may ask how the gateway is: whoever is on this machine, a balancer's check without a Host too, and no web page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { healthListener } from '#gateway/console/health';

test('health is told to checks of this machine, with or without a Host, and to no page', async (t) => {
  const ailments: string[] = [];
  const health = healthListener({ condition: () => ({ ailments, warnings: [] }), metrics: () => '' });
  health.listen(0, '127.0.0.1');
  await once(health, 'listening');
  t.after(() => health.close());
  const ask = async (version: string, ...headers: readonly string[]): Promise<string> => {
    const socket = connect((health.address() as AddressInfo).port, '127.0.0.1');
    socket.write(`GET /readyz HTTP/${version}\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`);
    return (await text(socket)).slice(0, 12);
  };
  const end = 'Connection: close';
  assert.equal(await ask('1.0'), 'HTTP/1.1 200', 'as haproxy asks');
  assert.equal(await ask('1.1', 'Host: 127.0.0.1', end), 'HTTP/1.1 200');
  assert.equal(await ask('1.1', end), 'HTTP/1.1 400');
  assert.equal(await ask('1.0', 'Host: rebound.example'), 'HTTP/1.1 403');
  assert.equal(await ask('1.0', 'Origin: https://evil.example'), 'HTTP/1.1 403');
  ailments.push('it stops');
  assert.equal(await ask('1.0'), 'HTTP/1.1 503');
});
