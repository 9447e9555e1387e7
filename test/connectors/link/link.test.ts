// A connector's tunnels: several to each gateway, each kept up by itself, replaced before they are let go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Identity, identityOf } from '#connectors/link/identity';
import { Link, type LinkOptions } from '#connectors/link/link';
import { DEFAULT_LIMITS, SUBPROTOCOL } from '#connectors/wire/limits';
import { IGNORE } from '#connectors/wire/stream';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import type { ConnectorStatus } from '#gateway/tunnel/relay';
import { Tunnels } from '#gateway/tunnel/tunnels';
import { until } from '#test/story/part';
import { HELLO } from '../wire/sides.ts';

let directory: string;
let authority: Authority;
let identity: Identity;
let certificate: { cert: string; key: string };

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-link-'));
  authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  certificate = await issueCertificate(authority, ['localhost', '127.0.0.1']);
  identity = identityOf(certificate.key, certificate.cert, authority.certificate);
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** The connectors' listener without enrolment: whoever dials is `one`. */
class Door {
  readonly tunnels: Tunnels;
  readonly sockets = new Set<TLSSocket>();
  /** Dials so far. */
  dials = 0;
  /** Events, in order. */
  readonly seen: string[] = [];
  #server: Server | undefined;
  port = 0;

  constructor() {
    const note =
      (word: string) =>
      ({ connector }: ConnectorStatus): void =>
        void this.seen.push(`${word} ${connector}`);
    this.tunnels = new Tunnels({
      ...{ now: Date.now, random: () => 0 },
      onConnect: note('up'),
      onDisconnect: note('down'),
    });
  }

  async open(): Promise<this> {
    const server = createServer({ ...certificate, ca: authority.certificate });
    const handshakes = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
    server.on('secureConnection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
      this.dials += 1;
      handshakes.handleUpgrade(request, socket, head, (ws: WebSocket) => {
        ws.binaryType = 'nodebuffer';
        this.tunnels.accept(ws, {
          ...{ connector: 'one', apps: new Set(['app']), address: '127.0.0.1', serial: '01' },
        });
      });
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** As when the process is killed: everything at once, and nobody answers. */
  kill(): void {
    this.#server?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  get count(): number {
    return this.tunnels.count.tunnels;
  }

  async close(): Promise<void> {
    await this.tunnels.drain(0);
    this.kill();
  }
}

async function doors(t: TestContext, count: number): Promise<Door[]> {
  const all = await Promise.all(Array.from({ length: count }, () => new Door().open()));
  t.after(async () => {
    for (const door of all) await door.close();
  });
  return all;
}

function linkTo(
  t: TestContext,
  all: readonly Door[],
  more: Partial<LinkOptions> = {},
): { link: Link; said: string[] } {
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const link = new Link({
    gateways: all.map(({ port }) => new URL(`https://127.0.0.1:${port}`)),
    ...{ tunnels: 2, name: 'one', identity, limits: DEFAULT_LIMITS },
    ...{ log: { info: say, warn: say, error: say }, now: Date.now },
    ...{ clock: () => performance.now(), random: () => 0.05 },
    offer: () => ({ hello: HELLO, onOpen: () => IGNORE }),
    async onIdentity() {},
    ...more,
  });
  t.after(() => link.close(0));
  return { link, said };
}

test('as many tunnels to each gateway as are wanted, of one connector', async (t) => {
  const all = await doors(t, 2);
  const { link } = linkTo(t, all, { tunnels: 3 });
  await link.ready;
  for (const door of all) {
    await until('three tunnels', () => door.count === 3);
    assert.deepEqual(door.tunnels.count, { connectors: 1, tunnels: 3 });
  }
});

test('a gateway that goes is dialled until it is back, and the others are not disturbed', async (t) => {
  const all = await doors(t, 2);
  const [first, second] = all as [Door, Door];
  const { said } = linkTo(t, all);
  await until('all tunnels', () => first.count + second.count === 4);
  first.kill();
  await until('it is dialled again in vain', () =>
    said.some((line) => /no tunnel: .*ECONNREFUSED/.test(line)),
  );
  assert.equal(first.count, 0);
  assert.deepEqual([second.count, second.dials, second.seen], [2, 2, ['up one', 'up one']]);
  await first.open();
  await until('it is found again', () => first.count === 2);
  assert.deepEqual([second.count, second.dials], [2, 2]);
});

test('a gateway that was never there holds up nobody', async (t) => {
  const [there, gone] = (await doors(t, 2)) as [Door, Door];
  gone.kill();
  const { link } = linkTo(t, [gone, there]);
  await link.ready;
  await until('the tunnels to the other', () => there.count === 2);
});

test('one lost tunnel of two is dialled again alone', async (t) => {
  const [door] = (await doors(t, 1)) as [Door];
  linkTo(t, [door]);
  await until('both', () => door.count === 2);
  const [one] = door.sockets;
  one?.destroy();
  await until('it is noticed', () => door.seen.includes('down one'));
  assert.equal(door.count, 1, 'the other stands');
  await until('both again', () => door.count === 2);
  assert.equal(door.dials, 3);
});

test('a gateway that says goodbye is dialled again, less and less often if that is all it says', async (t) => {
  const [door] = (await doors(t, 1)) as [Door];
  const { said } = linkTo(t, [door], { tunnels: 1 });
  await until('it is up', () => door.count === 1);
  // From now on it says goodbye to whoever comes.
  void door.tunnels.drain(60_000);
  await until('some more dials', () => door.dials >= 4);
  assert.ok(said.some((line) => line.includes('takes no more requests; dialling again')));
});

test('worn-out stream ids: the tunnel is replaced before the old one goes', async (t) => {
  const [door] = (await doors(t, 1)) as [Door];
  const limits = { ...DEFAULT_LIMITS, replaceAt: 3 };
  linkTo(t, [door], { tunnels: 1, limits });
  await until('it is up', () => door.count === 1);
  const [before] = door.tunnels.connectors();
  // Two streams: ids 1 and 3.
  for (let i = 0; i < 2; i += 1)
    door.tunnels.connect('app', () => Promise.reject(new Error('nobody'))).close('enough');
  await until('another one has taken over', () => door.seen.length >= 3);
  assert.deepEqual(door.seen.slice(0, 3), ['up one', 'up one', 'down one']);
  assert.ok(before !== undefined);
});

test('the end: streams of every tunnel get their grace, and nothing is dialled after it', async (t) => {
  const all = await doors(t, 2);
  const { link } = linkTo(t, all);
  await until('all tunnels', () => all.every((door) => door.count === 2));
  await link.close(1000);
  await until('all are gone', () => all.every((door) => door.count === 0));
  assert.deepEqual(
    all.map(({ dials }) => dials),
    [2, 2],
  );
});

test('the end: what was said last has gone out when it is over', async (t) => {
  const [door] = (await doors(t, 1)) as [Door];
  const { link, said } = linkTo(t, [door], { tunnels: 1 });
  await link.ready;
  for (const socket of door.sockets) socket.pause();
  door.tunnels.rest('one');
  await until('a goodbye', () => said.some((words) => words.includes('takes no more requests')));
  let over = false;
  const closed = link.close(60_000).then(() => {
    over = true;
  });
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.equal(over, false, 'nobody has read it yet');
  for (const socket of door.sockets) socket.resume();
  await closed;
});

test('what is announced changes: new tunnels say so, also one that was being dialled at that moment', async (t) => {
  const all = await doors(t, 1);
  const [door] = all;
  let apps = ['app'];
  const { link } = linkTo(t, all, {
    tunnels: 1,
    offer: () => ({ hello: { ...HELLO, apps }, onOpen: () => IGNORE }),
  });
  apps = [];
  link.replace();
  await until('it is announced', () => door?.tunnels.connectors().some((one) => one.apps.length === 0));
  await until('the old one is gone', () => door?.count === 1);
  assert.deepEqual(door?.tunnels.connectors()[0]?.apps, []);
  apps = ['app'];
  link.replace();
  await until('and again', () => door?.count === 1 && door.tunnels.connectors()[0]?.apps.length === 1);
});
