// TCP apps from a terminal: signed in by the browser, decided at every connection, carried byte for byte, closed when
// the session ends. The peers are real: OpenSSH's client and server.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTo } from '#connectors/device/connect';
import { credentialsFile, readCredentials } from '#connectors/device/credentials';
import { portalAgent } from '#connectors/device/transport';
import { requires } from '#test/requires';
import { type Outcome, ROOT, StoryInstallation } from '../installation.ts';
import { Part, until } from '../part.ts';
import { freePorts } from '../ports.ts';
import { Person } from './person.ts';
import { newKey, startSshd } from './sshd.ts';

const skip = requires('nginx', 'sshd', 'scp', 'ssh-keygen');

describe('a terminal', { skip }, () => {
  const undo: (() => Promise<void>)[] = [];
  let installation: StoryInstallation;
  let echo: Server;
  let burst: Server;
  let brief: Server;
  const speech = randomBytes(4 * 1024 * 1024);
  let ada: Person;
  let ben: Person;

  before(async () => {
    // Says more than is ever on its way to a person, and less than fits on the way to them.
    brief = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined).resume();
      socket.end(speech.subarray(0, 900 * 1024));
    });
    brief.listen(0, '127.0.0.1');
    await once(brief, 'listening');
    const briefPort = (brief.address() as AddressInfo).port;
    // Sends back what it got, and ends only when the other end has: half-close must be carried.
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    // Says all it has to say and closes at once, both ways, without having read a word.
    burst = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(speech, () => socket.destroy());
    });
    burst.listen(0, '127.0.0.1');
    await once(burst, 'listening');
    const burstPort = (burst.address() as AddressInfo).port;
    const [sshPort = 0, closedPort = 0] = await freePorts(2);
    const echoPort = (echo.address() as AddressInfo).port;
    const app = (id: string): string =>
      `  - { id: ${id}, name: ${id}, protocol: tcp, connectors: [rack-1] }\n`;
    installation = await StoryInstallation.start(
      { after: (step) => undo.push(step) },
      {
        further: ['echo', 'burst', 'brief', 'shell.prod', 'closed', 'secret'].map(app).join(''),
        prepare: (directory) => {
          const edit = (name: string, change: (text: string) => string): void =>
            writeFileSync(`${directory}/${name}`, change(readFileSync(`${directory}/${name}`, 'utf8')));
          edit(
            'connector.yaml',
            (text) =>
              `${text}  echo: { url: "tcp://127.0.0.1:${echoPort}" }\n  burst: { url: "tcp://127.0.0.1:${burstPort}" }\n  brief: { url: "tcp://127.0.0.1:${briefPort}" }\n  shell.prod: { url: "tcp://127.0.0.1:${sshPort}" }\n  closed: { url: "tcp://127.0.0.1:${closedPort}" }\n`,
          );
          edit('policy.yaml', (text) =>
            text
              .replace('mirror, spare]', 'mirror, spare, echo, burst, brief, shell.prod, closed, secret]')
              .concat(
                '  - { id: engineers-tcp, allow: [echo, burst, brief, shell.prod, closed], who: engineering }\n',
              )
              .concat('  - { id: finance-secret, allow: secret, who: finance }\n'),
          );
        },
      },
    );
    const folder = installation.path('ssh');
    mkdirSync(folder, { mode: 0o700 });
    newKey(`${folder}/client`);
    copyFileSync(`${folder}/client.pub`, `${folder}/authorized_keys`);
    await startSshd(installation, sshPort, `AuthorizedKeysFile ${folder}/authorized_keys\n`);
    ada = new Person(installation, 'ada');
    ben = new Person(installation, 'ben');
    for (const person of [ada, ben]) assert.equal((await (await person.login()).ended).code, 0);
  });

  after(async () => {
    for (const step of undo.reverse()) await step();
    echo?.close();
    burst?.close();
    brief?.close();
  });

  /** A local port of a person's that leads to an app. */
  async function port(person: Person, app: string): Promise<{ port: number; command: Part }> {
    const command = person.run('connect', app, '--json');
    const [, line = '{}'] = await command.said(/(\{.*\})/);
    return { port: JSON.parse(line).port, command };
  }

  /** Everything that comes back for `sent`, ended by a half-close. */
  async function exchange(at: number, sent: Buffer): Promise<Buffer> {
    const socket = connect({ port: at, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  test('keeps the token where only its person can read it', () => {
    const file = `${ada.home}/sallyport/credentials.json`;
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).name, 'Ada Ferrara');
  });

  test('carries ten megabytes both ways, and the half-close behind them', async () => {
    const { port: at } = await port(ada, 'echo');
    const sent = randomBytes(10 * 1024 * 1024);
    assert.deepEqual(hash(await exchange(at, sent)), hash(sent));
    assert.equal((await exchange(at, Buffer.from('again'))).toString(), 'again');
  });

  test('loses nothing of what is said before a connection closes', async () => {
    const [echoed, burstAt] = [(await port(ada, 'echo')).port, (await port(ada, 'burst')).port];
    const sent = randomBytes(4 * 1024 * 1024);
    for (let round = 0; round < 10; round += 1) {
      assert.equal(hash(await exchange(echoed, sent)), hash(sent), `echo, round ${round}`);
      assert.equal(hash(await exchange(burstAt, Buffer.alloc(0))), hash(speech), `burst, round ${round}`);
    }
  });

  test('copies a hundred megabytes with scp over OpenSSH', async () => {
    const content = randomBytes(100 * 1024 * 1024);
    writeFileSync(installation.path('large'), content);
    const { code, output } = await ssh(
      ada,
      'scp',
      'large',
      `${userInfo().username}@shell.prod:${installation.path('copied')}`,
    );
    assert.equal(code, 0, output);
    assert.equal(hash(readFileSync(installation.path('copied'))), hash(content));
  });

  test('runs a command with ssh, and hands on its exit code', async () => {
    const earlier = ends('shell.prod').length;
    const { code, output } = await ssh(
      ada,
      'ssh',
      `${userInfo().username}@shell.prod`,
      'echo from the other side; exit 7',
    );
    assert.match(output, /from the other side/);
    assert.equal(code, 7);
    // ssh ends us by a signal; that is no break, for sshd and in the record.
    await until('its end is recorded', () => ends('shell.prod').length > earlier);
    assert.deepEqual(new Set(ends('shell.prod')), new Set(['completed']));
  });

  test('ssh hears that sshd has gone', { timeout: 120_000 }, async () => {
    const { code, output } = await ssh(
      ada,
      'ssh',
      `${userInfo().username}@shell.prod`,
      'kill -9 $PPID; sleep 60',
    );
    assert.match(output, /closed by remote host/);
    assert.equal(code, 255);
  });

  test('tells who is not allowed no more about an app than about one that is not there', async () => {
    const words: string[] = [];
    for (const app of ['echo', 'secret', 'nowhere']) {
      const { port: at, command } = await port(ben, app);
      assert.equal((await exchange(at, Buffer.from('x')).catch(() => Buffer.alloc(0))).length, 0);
      const [, sentence = ''] = await command.said(/sallyport connect: (.*) \(reference/);
      words.push(sentence);
    }
    assert.equal(new Set(words).size, 1, words.join('\n'));
  });

  test('says when the app does not answer', async () => {
    const { port: at, command } = await port(ada, 'closed');
    // Reset: an end in order would pass for an answer of nothing.
    await assert.rejects(exchange(at, Buffer.from('x')), { code: 'ECONNRESET' });
    await command.said(/cannot be reached/);
  });

  test('loses its connections at once when its person signs out, and cannot make new ones', async (t) => {
    const { port: at, command } = await port(ada, 'echo');
    const socket = connect(at, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('hello');
    await once(socket, 'data');
    const before = performance.now();
    const { portal } = installation;
    await ada.visitor.ask(`${portal}/sign-out`, { method: 'POST', headers: { origin: portal } });
    await new Promise((resolve) => (socket.closed ? resolve(0) : socket.once('close', resolve)));
    t.diagnostic(
      `closed ${Math.round(performance.now() - before)} ms after signing out began; promised are 2,000`,
    );
    await exchange(at, Buffer.from('x')).catch(() => undefined);
    await command.said(/sign-in has ended/);
    // What the words ask for is enough: the port is still there, and leads to the app again.
    assert.equal((await (await ada.login()).ended).code, 0);
    assert.equal((await exchange(at, Buffer.from('again'))).toString(), 'again');
    await until('the end is recorded', () => ends('echo').length > 0);
  });

  test('gets all of what an app has said also while the gateway stops', async () => {
    const credentials = readCredentials(credentialsFile({ XDG_CONFIG_HOME: ada.home }), Date.now());
    const pipe = await connectTo('brief', credentials, portalAgent(credentials.ca));
    pipe.end();
    const { gateway } = installation;
    gateway.signal('SIGTERM');
    const left = (): boolean =>
      installation.events().some(({ event }) => event.action === 'connector-disconnected');
    // By now the gateway has it all, and nobody is behind its tunnels any more.
    await until('the tunnels have ended', left);
    assert.equal(hash(Buffer.concat(await pipe.toArray())), hash(speech.subarray(0, 900 * 1024)));
    assert.equal((await gateway.ended).code, 0);
    assert.deepEqual(ends('brief'), ['completed']);
    await installation.startGateway();
    await installation.connected();
  });

  test('is broken for the app where its connector is told twice to stop', async () => {
    const credentials = readCredentials(credentialsFile({ XDG_CONFIG_HOME: ada.home }), Date.now());
    const accepted = once(echo, 'connection') as Promise<[Socket]>;
    const pipe = await connectTo('echo', credentials, portalAgent(credentials.ca));
    pipe.on('error', () => undefined).write('half of what I have to say');
    const [socket] = await accepted;
    const end = new Promise<string>((resolve) => {
      socket.once('end', () => resolve('an end in order'));
      socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(code));
    });
    await once(pipe, 'data');
    installation.connector.signal('SIGTERM');
    // What comes right behind the first is its copy.
    await sleep(500);
    installation.connector.signal('SIGTERM');
    assert.equal(await end, 'ECONNRESET');
    assert.equal((await installation.connector.ended).code, 0);
  });

  /** How what was open of an app has ended, by the record. */
  function ends(app: string): (string | undefined)[] {
    const events = installation.events().filter(({ event }) => event.action === 'stream-closed');
    return events.filter(({ sallyport }) => sallyport?.app?.id === app).map(({ event }) => event.code);
  }

  /** ssh or scp as a person would run them, by the lines that ssh-config prints. */
  async function ssh(person: Person, program: string, ...args: readonly string[]): Promise<Outcome> {
    const printed = person.run('ssh-config', '--no-certificate', 'shell.prod');
    await printed.ended;
    const proxy = `env ${person.environment.join(' ')} ${process.execPath} ${ROOT}/bin/sallyport.js`;
    const config = installation.path('ssh_config');
    writeFileSync(
      config,
      `${printed.output.replace('ProxyCommand sallyport', `ProxyCommand ${proxy}`)}  IdentityFile ${installation.path('ssh/client')}\n  UserKnownHostsFile ${installation.path('ssh/known_hosts')}\n  StrictHostKeyChecking accept-new\n  BatchMode yes\n`,
    );
    const log = installation.path(`${program}.log`);
    const part = new Part(program, program, ['-F', config, ...args], { cwd: installation.directory, log });
    const { code } = await part.ended;
    return { code, output: part.output };
  }
});

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
