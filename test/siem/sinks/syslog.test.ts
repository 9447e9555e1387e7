// Syslog over TLS: the framing to the byte, the contract with a receiver that breaks, and a real rsyslog.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer } from 'node:tls';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { Shipper } from '#siem/ship/shipper';
import { cefOf } from '#siem/sinks/cef';
import { SyslogSink } from '#siem/sinks/syslog';
import { requires } from '../../requires.ts';
import { examples } from '../ecs/examples.ts';
import { directoryFor, document } from '../outbox/documents.ts';
import { makeCertificate } from './certificate.ts';
import { quiet, type Receiver, sinkContract, until } from './contract.ts';

const gateway = { id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' };
const id = '019cb830-5000-7a00-8000-000000000001';

/** Takes whole octet-counted messages off the front of a stream. */
class Frames {
  #rest: Buffer = Buffer.alloc(0);
  push(chunk: Buffer): string[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const found: string[] = [];
    for (;;) {
      const space = this.#rest.indexOf(0x20);
      if (space === -1) return found;
      const length = Number(this.#rest.subarray(0, space).toString('latin1'));
      assert.ok(Number.isInteger(length) && length > 0, 'an octet count');
      if (this.#rest.length < space + 1 + length) return found;
      found.push(this.#rest.subarray(space + 1, space + 1 + length).toString('utf8'));
      this.#rest = this.#rest.subarray(space + 1 + length);
    }
  }
}

const HEADER = /^<(\d+)>1 (\S+) (\S+) sallyport - (\S+) - \ufeff/;

function textOf(message: string): string {
  assert.match(message, HEADER);
  return message.replace(HEADER, '');
}

interface TlsReceiver extends Receiver {
  readonly messages: string[];
  readonly sockets: ReadonlySet<Socket>;
  /** Breaks all connections as a machine does for a process that died without having read everything. */
  reset(): void;
  sink(): SyslogSink;
}

async function tlsReceiver(now: () => number = Date.now): Promise<TlsReceiver> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-syslog-'));
  const files = makeCertificate(directory);
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  let down = false;
  const server = createServer(
    { cert: readFileSync(files.certificate), key: readFileSync(files.key) },
    (socket) => {
      if (down) return void socket.destroy();
      const frames = new Frames();
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => messages.push(...frames.push(chunk as Buffer)));
    },
  );
  server.on('tlsClientError', () => undefined);
  const raw = new Set<Socket>();
  server.on('connection', (socket: Socket) => raw.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    messages,
    sockets,
    reset: () => {
      for (const socket of raw) socket.resetAndDestroy();
    },
    sink: () =>
      new SyslogSink({ name: 'soc', host: '127.0.0.1', port, ca: files.certificate, format: 'ecs', now }),
    ids: () => messages.map((message) => JSON.parse(textOf(message)).event.id),
    trouble: async (kind) => {
      down = kind === 'outage';
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

interface Shipped {
  readonly receiver: TlsReceiver;
  readonly sink: SyslogSink;
  /** Of the sink, in milliseconds. */
  readonly clock: { now: number };
  /** The id of the event that the receiver has. */
  readonly first: string;
  /** Sends one event; answers its id. */
  ship(): Promise<string>;
}

/** A receiver that has one event. */
async function oneShipped(t: TestContext): Promise<Shipped> {
  const clock = { now: Date.now() };
  const receiver = await tlsReceiver(() => clock.now);
  t.after(() => receiver.close());
  const sink = receiver.sink();
  t.after(() => sink.close());
  const ship = async (): Promise<string> => {
    const one = document();
    await sink.deliver([{ line: Buffer.from(JSON.stringify(one)) }], new AbortController().signal);
    return one.event.id;
  };
  const first = await ship();
  await until(() => receiver.messages.length === 1);
  return { receiver, sink, clock, first, ship };
}

const skip = requires('openssl');
if (skip === false) {
  sinkContract({
    name: 'syslog',
    troubles: ['outage'],
    repeats: ['outage'],
    refuses: false,
    start: tlsReceiver,
  });
}

test('a message has the header of RFC 5424, a byte order mark and the exact record', { skip }, async (t) => {
  const receiver = await tlsReceiver();
  t.after(() => receiver.close());
  const sink = receiver.sink();
  t.after(() => sink.close());
  const mapper = new Mapper(gateway);
  const line = encodeLine(mapper.document({ ...examples['login-failed'], userAgent: 'ä😀\n' }, id, 0));
  const alert = encodeLine(mapper.document(examples['policy-rejected'], id, 0));
  const { signal } = new AbortController();
  await sink.deliver([{ line: Buffer.from(line) }, { line: Buffer.from(alert) }], signal);
  await until(() => receiver.messages.length === 2);
  const [first = '', second = ''] = receiver.messages;
  assert.equal(first, `<133>1 1970-01-01T00:00:00.000Z gw1.example sallyport - login-failed - \ufeff${line}`);
  assert.match(second, /^<130>1 /);
});

for (const [how, breaks] of [
  ['ends in order', (sockets: Iterable<Socket>) => [...sockets].map((socket) => socket.end())],
  ['breaks off', (sockets: Iterable<Socket>) => [...sockets].map((socket) => socket.destroy())],
] as const) {
  test(`what was sent just before a connection ${how} is sent again, however long the receiver is away`, {
    skip,
  }, async (t) => {
    const { receiver, sink, clock, first, ship } = await oneShipped(t);
    breaks(receiver.sockets);
    receiver.messages.length = 0;
    await until(() => !sink.connected);
    clock.now += 600_000;
    const second = await ship();
    await until(() => receiver.messages.length === 2);
    assert.deepEqual(receiver.ids(), [first, second]);
  });
}

test('what a receiver that hangs has not read when it is killed is sent again, however long ago it was sent', {
  skip,
}, async (t) => {
  const { receiver, sink, clock, first, ship } = await oneShipped(t);
  for (const socket of receiver.sockets) socket.pause();
  const unread = await ship();
  clock.now += 600_000;
  const later = await ship();
  receiver.reset();
  receiver.messages.length = 0;
  await until(() => !sink.connected);
  const after = await ship();
  await until(() => receiver.messages.length === 4);
  assert.deepEqual(receiver.ids(), [first, unread, later, after]);
});

test('a CEF line cannot be broken by what a client sends', () => {
  const mapper = new Mapper(gateway);
  const base = examples['login-failed'];
  const hostile = '|x=1\\|\nCEF:0|evil|\u2028 act=allow';
  const document = mapper.document({ ...base, userAgent: hostile, code: hostile }, id, 0);
  const cef = cefOf(JSON.parse(encodeLine(document)));
  assert.ok(!/[\r\n\u2028]/.test(cef));
  assert.match(cef, /^CEF:0\|Sallyport\|Sallyport\|0\.1\.0\|login-failed\|/);
  const header = cef.split(/(?<!\\)(?:\\\\)*\|/);
  assert.equal(header[6], '5', 'the severity is the seventh field, whatever is in the sixth');
  assert.match(cef, /requestClientApplication=\|x\\=1\\\\\| CEF:0\|evil\| {1,2}act\\=allow/);
  assert.match(cef, / src=203\.0\.113\.7 spt=50123 /);
});

test('a CEF line shows what was sent in the order in which it was sent', () => {
  const userAgent = 'a\u202egnp.exe\u2066\u061c\ufeff\u009b31m';
  const document = new Mapper(gateway).document({ ...examples['login-failed'], userAgent }, id, 0);
  const cef = cefOf(JSON.parse(encodeLine(document)));
  assert.match(cef, /requestClientApplication=a gnp\.exe {4}31m( |$)/);
});

const GTLS = '/usr/lib/*/rsyslog/lmnsd_gtls.so';

test('rsyslog takes 40,000 events over TLS, all of them and in order', {
  skip: requires('rsyslogd', 'openssl', GTLS),
  timeout: 120_000,
}, async (t) => {
  const directory = directoryFor(t);
  const { certificate, key } = makeCertificate(directory);
  const port = await freePort();
  const received = join(directory, 'received.jsonl');
  const rsyslog = startRsyslog(directory, { certificate, key, port, received });
  t.after(async () => {
    rsyslog.kill('SIGKILL');
    await once(rsyslog, 'exit');
  });

  const outbox = new Outbox({ directory: join(directory, 'outbox'), now: Date.now });
  const recorder = new Recorder({ outbox, gateway, now: Date.now });
  const ids: string[] = [];
  for (let index = 0; index < 40_000; index++) ids.push(await recorder.record(examples.logout));
  const sink = new SyslogSink({
    name: 'soc',
    host: '127.0.0.1',
    port,
    ca: certificate,
    format: 'ecs',
    now: Date.now,
  });
  const pace = { lingerMs: 1, firstRetryMs: 50, lastRetryMs: 200 };
  const shipper = new Shipper({ outbox, sink, log: quiet, now: Date.now, random: Math.random, ...pace });
  t.after(() => outbox.close());
  t.after(() => shipper.stop());
  shipper.start();
  await until(() => shipper.cursor.delivered === 40_000);
  const lines = (): string[] =>
    existsSync(received) ? readFileSync(received, 'utf8').split('\n').filter(Boolean) : [];
  await until(() => lines().length >= 40_000);
  assert.deepEqual(
    lines().map((line) => JSON.parse(line).event.id),
    ids,
  );
});

function startRsyslog(
  directory: string,
  at: { certificate: string; key: string; port: number; received: string },
): ChildProcess {
  const config = join(directory, 'rsyslog.conf');
  writeFileSync(
    config,
    `global(workDirectory="${directory}" maxMessageSize="256k"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${at.certificate}"
  defaultNetstreamDriverCertFile="${at.certificate}" defaultNetstreamDriverKeyFile="${at.key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="body" type="string" string="%msg:4:$%\\n")
input(type="imtcp" address="127.0.0.1" port="${at.port}" supportOctetCountedFraming="on")
action(type="omfile" file="${at.received}" template="body" flushOnTXEnd="on")
`,
  );
  return spawn('/usr/sbin/rsyslogd', ['-n', '-f', config, '-i', join(directory, 'pid')], { stdio: 'ignore' });
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
