// The line between gateway and connector goes silent without a close: both notice within 20 seconds, requests on it
// are answered, and a new line is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask } from '#test/gateway/tunnel/bed';
import { startApp, startConnector, startGateway } from '#test/story/tunnel/processes';
import { line } from './line.ts';

test('a silent line is noticed within 20 s at both ends', async (t) => {
  const app = await startApp(t, (req, res) => {
    if (req.url !== '/hang') res.end('ok');
  });
  const gateway = await startGateway(t);
  const between = await line(t, gateway.connectors);
  const up = gateway.lines.next('connected', 'one');
  const token = await gateway.token('one');
  const connector = startConnector(t, { name: 'one', gatewayPort: between.port, app, token });
  await up;
  assert.equal((await ask(gateway.people, { path: '/' })).status, 200);
  const connections = between.connections();
  between.silence();
  const started = performance.now();
  const back = gateway.lines.next('connected', 'one');
  const [{ reason }, answer] = await Promise.all([
    gateway.lines.next('disconnected', 'one'),
    ask(gateway.people, { path: '/hang', method: 'POST' }),
  ]);
  const noticed = performance.now() - started;
  assert.match(String(reason), /nothing heard for 8 s/);
  assert.deepEqual([answer.status, answer.body], [502, 'connector-lost']);
  assert.ok(noticed < 20_000, `noticed after ${noticed} ms`);
  await back;
  assert.match(connector.text(), /tunnel lost: nothing heard/);
  assert.ok(between.connections() > connections);
  assert.equal((await ask(gateway.people, { path: '/' })).status, 200);
});
