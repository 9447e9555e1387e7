// A certificate in files: warned of before it ends, taken up anew while it serves, refused when it is no good.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { type Expiring, FileCertificate } from '#gateway/pki/file-certificate';
import type { Log } from '#siem/log';

const DAY = 86_400_000;
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined } as unknown as Log;

async function bed(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-certificate-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const files = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const authority: Authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  let written = 0;
  const state = { now: Date.now(), warned: [] as Expiring[] };
  return {
    files,
    state,
    authority,
    async write(life: number, names = ['localhost']): Promise<void> {
      const { certificate, key } = await authority.issueServer(names, life);
      written += 1;
      for (const [file, text] of [
        [files.certificate, certificate],
        [files.key, key],
      ] as const) {
        writeFileSync(file, text, { mode: 0o600 });
        utimesSync(file, written, written);
      }
    },
    open: (hosts: readonly string[] = [], log = quiet) =>
      new FileCertificate({
        files,
        hosts,
        log,
        now: () => state.now,
        onExpiring: (expiring) => state.warned.push(expiring),
      }),
  };
}

test('hosts that it does not name are told, each time it is taken up', async (t) => {
  const { write, open } = await bed(t);
  const told: string[] = [];
  const log = { ...quiet, warn: (_: object, text: string) => void told.push(text) } as unknown as Log;
  await write(DAY * 40, ['access.example.com', '*.apps.example.com']);
  const hosts = ['access.example.com', 'wiki.apps.example.com', 'notes.example.com', 'a.b.apps.example.com'];
  const certificate = open(hosts, log);
  certificate.check();
  assert.deepEqual(told, [
    'the certificate does not name notes.example.com, a.b.apps.example.com: clients refuse it there',
  ]);
  await write(DAY * 40, ['access.example.com', '*.apps.example.com', 'notes.example.com']);
  certificate.check();
  assert.match(told[1] ?? '', /name a\.b\.apps\.example\.com:/);
  await write(DAY * 40, hosts);
  certificate.check();
  assert.equal(told.length, 2);
});

test('is warned of 30 days, 7 days and a day before its end, once each', async (t) => {
  const { write, open, state } = await bed(t);
  await write(40 * DAY);
  const certificate = open();
  for (let day = 0; day < 40; day += 1) {
    certificate.check();
    certificate.check();
    state.now += DAY;
  }
  assert.deepEqual(
    state.warned.map(({ days }) => days),
    [30, 7, 1],
  );
});

test('is taken up anew when it changes, and connections that are up go on', async (t) => {
  const { write, open, state, authority } = await bed(t);
  await write(5 * DAY);
  const certificate = open();
  const inner = createServer((_request: IncomingMessage, response: ServerResponse) => response.end('ok'));
  const server = createTlsServer(certificate.current, (socket) => inner.emit('connection', socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const dial = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', servername: 'localhost', ca: authority.certificate };
      const socket = connect(options, () => resolve(socket));
      socket.once('error', reject);
      t.after(() => socket.destroy());
    });
  const before = await dial();
  certificate.check(server);
  assert.deepEqual(
    state.warned.map(({ days }) => days),
    [7],
  );
  await write(90 * DAY);
  certificate.check(server);
  const after = await dial();
  assert.notEqual(
    after.getPeerX509Certificate()?.serialNumber,
    before.getPeerX509Certificate()?.serialNumber,
  );
  const answered = new Promise((resolve) => before.once('data', resolve));
  before.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.match(String(await answered), /^HTTP\/1\.1 200/);
});

test('a pipe in the place of either file is told of and not waited for', async (t) => {
  const { write, files } = await bed(t);
  await write(40 * DAY);
  const program = `
    import { execFileSync } from 'node:child_process';
    import { rmSync } from 'node:fs';
    import { FileCertificate } from '#gateway/pki/file-certificate';
    const [certificate, key, replaced] = process.argv.slice(1);
    const log = { info() {}, warn() {}, error: ({ err }) => console.log(err.message) };
    const files = { certificate, key };
    const one = new FileCertificate({ files, hosts: [], log, now: Date.now, onExpiring() {} });
    rmSync(replaced);
    execFileSync('mkfifo', ['-m', '600', replaced]);
    one.check();
    console.log(one.unusable());`;
  for (const replaced of [files.key, files.certificate]) {
    const words = ['--input-type=module', '-e', program, files.certificate, files.key, replaced];
    const run = spawnSync(process.execPath, words, { timeout: 15_000, encoding: 'utf8' });
    assert.equal(run.stdout, `${replaced} is no regular file\n`.repeat(2), run.stderr);
    rmSync(replaced);
    await write(40 * DAY);
  }
});

test('that ended, or is none, is refused; a bad change leaves the one before', async (t) => {
  const { write, open, files, state } = await bed(t);
  await write(DAY);
  state.now += 2 * DAY;
  assert.throws(open, { code: 'certificate-expired' });
  state.now -= 2 * DAY;
  const certificate = open();
  const { cert } = certificate.current;
  writeFileSync(files.certificate, 'not a certificate');
  certificate.check();
  assert.equal(certificate.current.cert, cert);
  assert.throws(open, { code: 'certificate-unreadable' });
});
