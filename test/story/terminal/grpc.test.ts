// gRPC through the gateway: a service is a TCP app, so that HTTP/2 goes from end to end, trailers and streams included.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { requires } from '../../requires.ts';
import { NEEDS, StoryInstallation } from '../installation.ts';
import { Person } from './person.ts';

/** A message of the protocol: not compressed, its length, its bytes. */
function message(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function messages(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    found.push(bytes.toString('utf8', at + 5, at + 5 + length));
    at += 5 + length;
  }
  return found;
}

/** `/echo.Echo/Say` gives a message back; `/echo.Echo/Count` counts to a thousand; anything else is not implemented. */
function service(): Http2Server {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, { ':path': path }: IncomingHttpHeaders) => {
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    if (path !== '/echo.Echo/Say' && path !== '/echo.Echo/Count') {
      stream.respond({ ...head, 'grpc-status': '12' }, { endStream: true });
      return;
    }
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (path === '/echo.Echo/Say') stream.end(Buffer.concat(chunks));
      else {
        for (let i = 0; i < 1000; i += 1) stream.write(message(Buffer.from(String(i))));
        stream.end();
      }
    });
  });
  return server;
}

describe('gRPC', { skip: requires(...NEEDS) }, () => {
  const undo: (() => Promise<void>)[] = [];
  let server: Http2Server;
  let client: ClientHttp2Session;

  before(async () => {
    server = service().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const installation = await StoryInstallation.start(
      { after: (step) => undo.push(step) },
      {
        further: '  - { id: echo, name: echo, protocol: tcp, connectors: [rack-1] }\n',
        prepare: (directory) => {
          const edit = (name: string, change: (text: string) => string): void =>
            writeFileSync(`${directory}/${name}`, change(readFileSync(`${directory}/${name}`, 'utf8')));
          edit('connector.yaml', (text) => `${text}  echo: { url: "${target}" }\n`);
          edit('policy.yaml', (text) =>
            text
              .replace('mirror, spare]', 'mirror, spare, echo]')
              .concat('  - { id: engineers-echo, allow: echo, who: engineering }\n'),
          );
        },
      },
    );
    const ada = new Person(installation, 'ada');
    assert.equal((await (await ada.login()).ended).code, 0);
    const [, line = '{}'] = await ada.run('connect', 'echo', '--json').said(/(\{.*\})/);
    client = connect(`http://127.0.0.1:${JSON.parse(line).port}`);
    await once(client, 'connect');
  });

  after(async () => {
    client?.close();
    for (const step of undo.reverse()) await step();
    server?.close();
  });

  async function call(path: string, sent: Buffer): Promise<{ answers: string[]; status: unknown }> {
    const stream = client.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status: unknown;
    stream.on('response', (headers) => {
      status = headers['grpc-status'];
    });
    stream.on('trailers', (headers) => {
      status = headers['grpc-status'];
    });
    stream.end(message(sent));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { answers: messages(Buffer.concat(chunks)), status };
  }

  test('a call, its answer, and its status behind that', async () => {
    assert.deepEqual(await call('/echo.Echo/Say', Buffer.from('hello')), {
      answers: ['hello'],
      status: '0',
    });
  });

  test('many calls at once over one connection, and a stream of a thousand messages among them', async () => {
    const large = 'x'.repeat(50_000);
    const [counted, ...said] = await Promise.all([
      call('/echo.Echo/Count', Buffer.alloc(0)),
      ...Array.from({ length: 20 }, (_, i) => call('/echo.Echo/Say', Buffer.from(`${i} ${large}`))),
    ]);
    assert.deepEqual(counted, { answers: Array.from({ length: 1000 }, (_, i) => String(i)), status: '0' });
    assert.deepEqual(
      said.map(({ answers, status }) => [answers[0]?.split(' ')[0], answers[0]?.length, status]),
      said.map((_, i) => [String(i), large.length + String(i).length + 1, '0']),
    );
  });

  test('the service’s own refusals are its own', async () => {
    assert.deepEqual(await call('/echo.Echo/Nothing', Buffer.alloc(0)), { answers: [], status: '12' });
  });
});
