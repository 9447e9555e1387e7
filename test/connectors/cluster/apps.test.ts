// The connector's side of an app: where it dials, whom it believes, and when it may ask twice.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppTarget } from '#connectors/cluster/app';
import { Cluster } from '#connectors/cluster/cluster';
import { encodeRequest } from '#connectors/wire/head';
import { openPrefix } from '#connectors/wire/open';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { joined, Probe, type Side, settle } from '#test/connectors/wire/sides';

async function listening(t: TestContext, server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A gateway side whose streams are served by a cluster with these apps. */
async function serving(
  t: TestContext,
  targets: Record<string, Partial<AppTarget> & { url: string }>,
): Promise<Side> {
  const entries = Object.entries(targets).map(([id, target]) => [id, { headTimeout: 5000, ...target }]);
  const cluster = new Cluster(Object.fromEntries(entries) as Record<string, AppTarget>);
  t.after(() => cluster.close());
  const { gateway } = await joined({}, undefined, (stream, request, fin) =>
    cluster.serving.open(stream, request, fin),
  );
  return gateway;
}

/** Sends a request and waits for its end: status, or the reset. */
async function send(
  { session }: Side,
  app: string,
  { method = 'GET', path = '/', headers = ['Host', 'a'] as string[], body = '' } = {},
): Promise<string> {
  const probe = new Probe();
  const head = encodeRequest(method, path, headers);
  const stream = session.open(openPrefix('http', app), head, body === '', probe, 0);
  probe.stream = stream;
  if (body !== '') stream.end(Buffer.from(body));
  while (!probe.events.some((event) => /fin|trailers|reset/.test(event))) await settle(1);
  return probe.events.join(', ');
}

async function authority(t: TestContext): Promise<Authority> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-apps-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return openAuthority(join(directory, 'ca'), 'Test', Date.now);
}

test('only apps of the list are dialled, whatever Host and path say', async (t) => {
  const hosts: (string | undefined)[] = [];
  const app = await listening(
    t,
    createServer((req, res) => {
      hosts.push(req.headers.host);
      res.end('x');
    }),
  );
  const gateway = await serving(t, { wiki: { url: `http://127.0.0.1:${app}` } });
  const reachOut = ['Host', '169.254.169.254:80', 'X-Forwarded-Host', 'metadata'];
  assert.match(await send(gateway, 'wiki', { headers: reachOut }), /^head 200/);
  assert.deepEqual(hosts, ['169.254.169.254:80']);
  assert.match(await send(gateway, 'other'), /^reset unknown-app/);
  assert.match(await send(gateway, 'wiki', { method: 'CONNECT' }), /^reset bad-head/);
  assert.match(await send(gateway, 'wiki', { headers: ['Transfer-Encoding', 'chunked'] }), /^reset bad-head/);
  // A declared length without a body is not believed, and cannot make the app wait for one.
  assert.match(await send(gateway, 'wiki', { headers: ['Content-Length', '5'] }), /^head 200/);
  assert.match(await send(gateway, 'wiki', { method: 'OPTIONS', path: '*' }), /^head 200/);
  assert.equal(hosts.length, 3);
});

test('an https app must show the configured name from the configured authority', async (t) => {
  const ca = await authority(t);
  const stranger = await authority(t);
  const { certificate, key } = await ca.issueServer(['vault.internal'], 3_600_000);
  const server = createTlsServer({ cert: certificate, key }, (_req, res) => res.end('x'));
  const url = `https://127.0.0.1:${await listening(t, server as unknown as ReturnType<typeof createServer>)}`;
  const gateway = await serving(t, {
    good: { url, ca: ca.certificate, serverName: 'vault.internal' },
    name: { url, ca: ca.certificate, serverName: 'other.internal' },
    address: { url, ca: ca.certificate },
    stranger: { url, ca: stranger.certificate, serverName: 'vault.internal' },
    system: { url, serverName: 'vault.internal' },
  });
  // The Host of the request must have no say in whose certificate is believed.
  const headers = ['Host', 'anything.example'];
  assert.match(await send(gateway, 'good', { headers }), /^head 200/);
  assert.match(
    await send(gateway, 'name', { headers: ['Host', 'vault.internal'] }),
    /^reset app-unreachable/,
  );
  for (const id of ['address', 'stranger', 'system']) {
    assert.match(await send(gateway, id, { headers }), /^reset app-unreachable/, id);
  }
});

test('an https app may be known by an address that is not the one it is dialled at', async (t) => {
  const ca = await authority(t);
  const { certificate, key } = await ca.issueServer(['10.0.4.2'], 3_600_000);
  const server = createTlsServer({ cert: certificate, key }, (_req, res) => res.end('x'));
  const port = await listening(t, server as unknown as ReturnType<typeof createServer>);
  const app = { url: `https://localhost:${port}`, ca: ca.certificate };
  const gateway = await serving(t, {
    good: { ...app, serverName: '10.0.4.2' },
    other: { ...app, url: `https://127.0.0.1:${port}`, serverName: '10.0.4.3' },
  });
  assert.match(await send(gateway, 'good', { headers: ['Host', 'x'] }), /^head 200/);
  assert.match(await send(gateway, 'other', { headers: ['Host', 'x'] }), /^reset app-unreachable/);
});

test('people who use different names for an https app share its connections', async (t) => {
  const ca = await authority(t);
  const { certificate, key } = await ca.issueServer(['127.0.0.1'], 3_600_000);
  const server = createTlsServer({ cert: certificate, key }, (_req, res) => res.end('x'));
  let connections = 0;
  server.on('secureConnection', () => {
    connections += 1;
  });
  const url = `https://127.0.0.1:${await listening(t, server as unknown as ReturnType<typeof createServer>)}`;
  const gateway = await serving(t, { app: { url, ca: ca.certificate } });
  for (const host of ['one.example', 'two.example', '10.0.0.1', 'one.example']) {
    assert.match(await send(gateway, 'app', { headers: ['Host', host] }), /^head 200/);
    await settle(20);
  }
  assert.equal(connections, 1);
});

test('a kept connection that the app closes at the moment of use: a GET goes again, a POST does not', async (t) => {
  const requests: string[] = [];
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections += 1;
    let served = 0;
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      const method = data.toString('latin1').split(' ')[0] ?? '';
      requests.push(method);
      served += 1;
      // The first request of a connection is answered; the second, and any POST, finds it closed.
      if (served === 1 && method === 'GET') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
      else socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const gateway = await serving(t, {
    app: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
  });
  assert.match(await send(gateway, 'app'), /^head 200/);
  await settle(20);
  assert.match(await send(gateway, 'app'), /^head 200/);
  assert.deepEqual([requests, connections], [['GET', 'GET', 'GET'], 2]);
  await settle(20);
  assert.match(await send(gateway, 'app', { method: 'POST', body: 'x' }), /^reset app-error/);
  assert.match(await send(gateway, 'app', { method: 'POST' }), /^reset app-error/);
  assert.deepEqual(requests.filter((method) => method === 'POST').length, 2);
});

test('an app that switches protocols unasked is cut off', async (t) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes'),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const gateway = await serving(t, {
    app: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
  });
  assert.match(await send(gateway, 'app'), /^reset app-error/);
  // With trailers announced the request has a connection of its own, which must be no easier.
  const trailers = { method: 'POST', headers: ['Trailer', 'X'], body: 'x' };
  assert.match(await send(gateway, 'app', trailers), /^reset app-error/);
});

test('heads up to the limit pass, larger ones are the app’s error', async (t) => {
  const app = await listening(
    t,
    createServer({ maxHeaderSize: 128 * 1024 }, (req, res) => {
      res.setHeader('X-Long', 'x'.repeat(Number(req.headers['x-want'])));
      res.end('x');
    }),
  );
  const gateway = await serving(t, { app: { url: `http://127.0.0.1:${app}` } });
  assert.match(await send(gateway, 'app', { headers: ['X-Want', '60000'] }), /^head 200/);
  assert.match(await send(gateway, 'app', { headers: ['X-Want', '70000'] }), /^reset app-error/);
});

/** An app of which each test says what it does with a connection and the first bytes on it. */
async function rawApp(t: TestContext, act: (socket: Socket, head: string) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data: Buffer) => act(socket, data.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('an app hears of a request whose body has not begun, and may answer it', async (t) => {
  const heads: string[] = [];
  const url = await rawApp(t, (socket, head) => {
    heads.push(head);
    socket.end('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
  });
  const { session } = await serving(t, { app: { url } });
  for (const headers of [
    ['Host', 'a'],
    ['Host', 'a', 'Content-Length', '5'],
    ['Host', 'a', 'Trailer', 'X-Sum'],
  ]) {
    const probe = new Probe();
    const head = encodeRequest('POST', '/', headers);
    probe.stream = session.open(openPrefix('http', 'app'), head, false, probe, 0);
    while (!probe.events.some((event) => /fin|reset/.test(event))) await settle(1);
    assert.match(probe.events.join(', '), /^head 401, fin/, headers.join());
  }
  assert.deepEqual(
    heads.map((head) => /\r\n(?:Content-Length|Transfer-Encoding): .*/.exec(head)?.[0].trim()),
    ['Transfer-Encoding: chunked', 'Content-Length: 5', 'Transfer-Encoding: chunked'],
  );
});

test('a body without length that is reset is not one that ended', async (t) => {
  const url = await rawApp(t, (socket, head) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nhalf');
    if (head.startsWith('GET /whole')) socket.end();
    else setTimeout(() => socket.resetAndDestroy(), 10);
  });
  const gateway = await serving(t, { app: { url } });
  assert.match(await send(gateway, 'app', { path: '/whole' }), /^head 200.*fin$/);
  assert.match(await send(gateway, 'app', { path: '/half' }), /^head 200.*reset app-error/);
});

test('an app that breaks off the TLS handshake is dialled once, and said not to be reached', async (t) => {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    let dialled = 0;
    const url = await rawApp(t, (socket) => {
      dialled += 1;
      socket[how]();
    });
    const gateway = await serving(t, { app: { url: url.replace('http:', 'https:') } });
    assert.match(await send(gateway, 'app'), /^reset app-unreachable/);
    assert.equal(dialled, 1, how);
  }
});

test('the time for an answer begins when the app has all of the request', async (t) => {
  const url = await rawApp(t, (socket, head) => {
    let seen = head;
    const answer = (): void => {
      if (seen.includes('the end')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    };
    socket.on('data', (data: Buffer) => {
      seen += data.toString('latin1');
      answer();
    });
  });
  const { session } = await serving(t, { app: { url, headTimeout: 400 } });
  const upload = async (end: string, ...headers: string[]): Promise<string> => {
    const probe = new Probe();
    const head = encodeRequest('PUT', '/', ['Host', 'a', ...headers]);
    const stream = session.open(openPrefix('http', 'app'), head, false, probe, 0);
    probe.stream = stream;
    for (let i = 0; i < 10; i += 1) {
      await sleep(100);
      stream.write(Buffer.from('x'));
    }
    stream.end(Buffer.from(end));
    while (!probe.events.some((event) => /fin|reset/.test(event))) await settle(1);
    return probe.events.join(', ');
  };
  for (const headers of [[], ['Trailer', 'X-Sum']]) {
    assert.match(await upload('the end', ...headers), /^head 200, fin/);
    assert.match(await upload('no answer', ...headers), /^reset app-timeout/);
  }
});
