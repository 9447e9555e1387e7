// Behind an HTTP proxy that only knows CONNECT: a connector enrols and dials through it, and so does a terminal.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { requires } from '#test/requires';
import { ROOT, StoryInstallation } from '../installation.ts';
import { Part } from '../part.ts';
import { Person } from './person.ts';

describe('behind a proxy', { skip: requires('nginx') }, () => {
  const undo: (() => Promise<void>)[] = [];
  /** What the proxy was asked to connect to. */
  const asked: string[] = [];
  let installation: StoryInstallation;
  let proxy: Server;
  let echo: TcpServer;

  before(async () => {
    echo = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = createServer((_request, response) => response.writeHead(405).end());
    proxy.on('connect', (request, client) => {
      asked.push(request.url ?? '');
      const port = Number(request.url?.split(':').at(-1));
      const far = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(far).pipe(client);
      });
      for (const socket of [client, far]) {
        socket.on('error', () => undefined);
        socket.on('close', () => (socket === far ? client : far).destroy());
      }
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = echo.address() as AddressInfo;
    installation = await StoryInstallation.start(
      { after: (step) => undo.push(step) },
      {
        further: '  - { id: echo, name: Echo, protocol: tcp, connectors: [rack-2] }\n',
        prepare: (directory) => {
          const policy = join(directory, 'policy.yaml');
          const text = readFileSync(policy, 'utf8').replace('mirror, spare]', 'mirror, spare, echo]');
          writeFileSync(policy, `${text}  - { id: engineers-echo, allow: echo, who: engineering }\n`);
          const connectorText = readFileSync(join(directory, 'connector.yaml'), 'utf8');
          const head = connectorText.slice(0, connectorText.indexOf('apps:'));
          const second = head.replace('rack-1', 'rack-2').replace('./connector-state', './second-state');
          writeFileSync(
            join(directory, 'second.yaml'),
            `${second}apps:\n  echo: { url: "tcp://127.0.0.1:${port}" }\n`,
          );
        },
      },
    );
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
    proxy?.closeAllConnections();
    proxy?.close();
    echo?.close();
  });

  const proxied = (): string => `HTTPS_PROXY=http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  test('a connector enrols and serves through it', async () => {
    const token = [
      'token',
      'create',
      '--config',
      'gateway.yaml',
      '--connector',
      'rack-2',
      '--out',
      'second.token',
    ];
    const { code, output } = await installation.sallyport(...token);
    assert.equal(code, 0, output);
    const { directory, ports } = installation;
    const command = [proxied(), process.execPath, join(ROOT, 'bin/sallyport.js'), 'connector'];
    const options = ['--config', 'second.yaml', '--token-file', 'second.token'];
    const connector = new Part('second', 'env', [...command, ...options], {
      cwd: directory,
      log: join(directory, 'second.log'),
    });
    installation.atEnd(() => connector.stop());
    await installation.connected(2);
    const gateway = `localhost:${ports.connectors}`;
    assert.ok(
      asked.filter((target) => target === gateway).length >= 3,
      `authority, enrolment, tunnel: ${asked.join(' ')}`,
    );
  });

  test('a terminal reaches an app through it', async () => {
    const ada = new Person(installation, 'ada', [proxied()]);
    assert.equal((await (await ada.login()).ended).code, 0);
    const command = ada.run('connect', 'echo', '--json');
    const [, line = '{}'] = await command.said(/(\{.*\})/);
    const socket = connect(JSON.parse(line).port, '127.0.0.1');
    socket.write('through two doors and a proxy');
    const [answer] = await once(socket, 'data');
    assert.equal(String(answer), 'through two doors and a proxy');
    socket.destroy();
    assert.ok(asked.includes(`access.localhost:${installation.ports.people}`), asked.join(' '));
  });
});
