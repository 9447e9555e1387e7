// The data plane between real processes over real TLS: enrol, serve, break, drain and come back.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, statSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { ask } from '#test/gateway/tunnel/bed';
import { startApp, startConnector, startGateway } from './processes.ts';

test('a connector enrols, serves pages, events and WebSockets, and needs no token again', async (t) => {
  const app = createServer(async (req, res) => {
    if (req.url === '/events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write('data: now\n\n');
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const hash = createHash('sha256').update(Buffer.concat(chunks)).digest('hex');
    res.writeHead(200, { 'X-Received': hash }).end(Buffer.concat(chunks));
  });
  const sockets = new WebSocketServer({ server: app });
  sockets.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;

  const gateway = await startGateway(t);
  const connected = gateway.lines.next('connected', 'berlin');
  const token = await gateway.token('berlin');
  const first = startConnector(t, { name: 'berlin', gatewayPort: gateway.connectors, app: url, token });
  await connected;
  assert.match(first.text(), /enrolled at https:\/\/127\.0\.0\.1/);
  assert.ok(!first.text().includes(token), 'the token is in no output');
  assert.equal(statSync(join(first.state, 'identity.pem')).mode & 0o777, 0o600);
  assert.equal(statSync(first.state).mode & 0o777, 0o700);

  const body = randomBytes(10 * 1024 * 1024);
  const sent = createHash('sha256').update(body).digest('hex');
  const upload = httpRequest({ host: '127.0.0.1', port: gateway.people, method: 'POST', agent: false });
  upload.end(body);
  const [echoed] = (await once(upload, 'response')) as [IncomingMessage];
  const received = createHash('sha256');
  for await (const chunk of echoed) received.update(chunk as Buffer);
  assert.equal(echoed.headers['x-received'], sent);
  assert.equal(received.digest('hex'), sent);

  const events = httpRequest({ host: '127.0.0.1', port: gateway.people, path: '/events', agent: false });
  events.end();
  const [stream] = (await once(events, 'response')) as [IncomingMessage];
  const [event] = (await once(stream, 'data')) as [Buffer];
  assert.equal(event.toString(), 'data: now\n\n');

  const ws = new WebSocket(`ws://127.0.0.1:${gateway.people}/ws`);
  await once(ws, 'open');
  const messages = [randomBytes(1), randomBytes(70_000), randomBytes(1024 * 1024)];
  for (const message of messages) {
    ws.send(message);
    const [answer] = (await once(ws, 'message')) as [Buffer];
    assert.ok(answer.equals(message));
  }
  ws.close();
  await once(ws, 'close');
  events.destroy();

  // A second start finds the identity: the token is spent and not needed.
  const stopped = gateway.lines.next('disconnected', 'berlin');
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);
  await stopped;
  const again = gateway.lines.next('connected', 'berlin');
  startConnector(t, { name: 'berlin', gatewayPort: gateway.connectors, app: url, state: first.state });
  await again;
  assert.equal((await ask(gateway.people, { path: '/' })).status, 200);
});

test('a connector killed in the middle: 502 at once, nothing sent twice, and it comes back', async (t) => {
  const seen: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const app = await startApp(t, (req, res) => {
    seen.push(`${req.method} ${req.url}`);
    req.resume();
    if (req.url === '/slow') {
      if (seen.filter((line) => line.endsWith('/slow')).length === 2) arrived.resolve();
    } else {
      res.end('ok');
    }
  });
  const gateway = await startGateway(t);
  const up = gateway.lines.next('connected', 'one');
  const options = { name: 'one', gatewayPort: gateway.connectors, app };
  const connector = startConnector(t, { ...options, token: await gateway.token('one') });
  await up;
  const pending = [
    ask(gateway.people, { path: '/slow' }),
    ask(gateway.people, { path: '/slow', method: 'POST', body: 'x' }),
  ];
  await arrived.promise;
  const started = performance.now();
  connector.child.kill('SIGKILL');
  const answers = await Promise.all(pending);
  const elapsed = performance.now() - started;
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body]),
    [
      [502, 'connector-lost'],
      [502, 'connector-lost'],
    ],
  );
  assert.ok(elapsed < 1000, `the promise is one second, it took ${elapsed} ms`);
  assert.equal(seen.filter((line) => line === 'POST /slow').length, 1);
  const back = gateway.lines.next('connected', 'one');
  startConnector(t, { ...options, state: connector.state });
  await back;
  assert.equal((await ask(gateway.people, { path: '/' })).status, 200);
});

test('two connectors: a drain loses no request, a kill no safe one', async (t) => {
  const app = await startApp(t, (req, res) => {
    req.resume();
    setTimeout(() => res.end('ok'), 5);
  });
  const gateway = await startGateway(t);
  const run = async (name: string) => {
    const up = gateway.lines.next('connected', name);
    const connector = startConnector(t, {
      name,
      gatewayPort: gateway.connectors,
      app,
      token: await gateway.token(name),
    });
    await up;
    return connector;
  };
  const drained = await run('drained');
  const killed = await run('killed');
  await run('stays');
  let method = 'GET';
  let going = true;
  const failures: string[] = [];
  let count = 0;
  const user = async (): Promise<void> => {
    while (going) {
      const used = method;
      const { status, body } = await ask(gateway.people, {
        path: '/',
        method: used,
        ...(used === 'POST' ? { body: 'x' } : {}),
      });
      count += 1;
      if (status !== 200) failures.push(`${used} ${status} ${body}`);
    }
  };
  const users = Array.from({ length: 8 }, (_, i) => {
    method = i % 2 === 0 ? 'GET' : 'POST';
    return user();
  });
  method = 'POST';
  drained.child.kill('SIGTERM');
  assert.equal(await drained.exit, 0);
  assert.deepEqual(failures, [], 'drain: not even a POST may fail');
  method = 'GET';
  // Let the last POSTs end: those may be lost to a kill.
  const before = count;
  while (count < before + 50) await new Promise(setImmediate);
  killed.child.kill('SIGKILL');
  await killed.exit;
  const after = count;
  while (count < after + 50) await new Promise(setImmediate);
  going = false;
  await Promise.all(users);
  assert.deepEqual(failures, []);
});

test('a gateway that restarts is found again without help', async (t) => {
  const app = await startApp(t, (_req, res) => res.end('ok'));
  const first = await startGateway(t);
  const up = first.lines.next('connected', 'one');
  const token = await first.token('one');
  const connector = startConnector(t, { name: 'one', gatewayPort: first.connectors, app, token });
  await up;
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const second = await startGateway(t, { state: first.state, port: first.connectors });
  await second.lines.next('connected', 'one');
  assert.equal((await ask(second.people, { path: '/' })).status, 200);
  assert.match(connector.text(), /tunnel lost|ended the tunnel/);
});

test('a certificate renews itself, and the old tunnel stays for what is under way on it', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const app = await startApp(t, async (req, res) => {
    if (req.url === '/slow') {
      arrived.resolve();
      await finish.promise;
    }
    res.end('ok');
  });
  // Renewal is due after two thirds of the life.
  const gateway = await startGateway(t, { life: 6000 });
  const up = gateway.lines.next('connected', 'one');
  const token = await gateway.token('one');
  startConnector(t, { name: 'one', gatewayPort: gateway.connectors, app, token, tunnels: 1 });
  const { serial } = await up;
  const renewed = gateway.lines.next('connected', 'one');
  const gone = gateway.lines.next('disconnected', 'one');
  const slow = ask(gateway.people, { path: '/slow', method: 'POST' });
  await arrived.promise;
  assert.notEqual((await renewed)['serial'], serial);
  assert.equal((await ask(gateway.people, { path: '/' })).status, 200, 'the new tunnel serves');
  assert.ok(!gateway.lines.all.some((line) => 'disconnected' in line), 'the old tunnel still stands');
  finish.resolve();
  assert.equal((await slow).status, 200);
  await gone;
});

test('enrolment refuses a used token, another gateway, another name and a loose directory', async (t) => {
  const gateway = await startGateway(t);
  const other = await startGateway(t);
  const app = 'http://127.0.0.1:9';
  const refused = async (
    options: { name: string; token: string; port?: number; state?: string },
    why: RegExp,
  ) => {
    const connector = startConnector(t, { ...options, gatewayPort: options.port ?? gateway.connectors, app });
    assert.equal(await connector.exit, 1, connector.text());
    assert.match(connector.text(), why);
    assert.ok(!connector.text().includes(options.token));
  };
  const token = await gateway.token('one');
  await refused(
    { name: 'one', token, port: other.connectors },
    /does not show the authority that the token names/,
  );
  await refused({ name: 'two', token }, /the token is for the connector one/);
  const up = gateway.lines.next('connected', 'one');
  const good = startConnector(t, { name: 'one', gatewayPort: gateway.connectors, app, token });
  await up;
  await refused({ name: 'one', token }, /refused \(token-used\)/);
  await refused({ name: 'one', token: 'sallyport-enrol.bm9uc2Vuc2U' }, /not an enrolment token/);
  good.child.kill('SIGTERM');
  await good.exit;
  chmodSync(join(good.state, 'identity.pem'), 0o644);
  await refused(
    { name: 'one', token, state: good.state },
    /has mode 644: others could read it\. Run: chmod 600/,
  );
});
