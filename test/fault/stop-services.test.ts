// A gateway that is told to stop while services ask and stream: whoever is connected is still answered, at either
// listener, and what runs for services takes nobody else's tunnel away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import {
  authority,
  CLIENT,
  certify,
  keyPem,
  newKeys,
  pemOf,
} from '#test/gateway/identity/service-certificates';
import { until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { POLICY } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

const API = 'spiffe://prod.example/api';

test('services and people are answered while a gateway stops, whatever runs for services', {
  timeout: 120_000,
}, async (t) => {
  const root = await authority('Prod root', Date.now());
  const asked = { uris: [API], purposes: [CLIENT], ca: false };
  const leaf = await certify('service', await newKeys(), root, asked, Date.now());
  const [services = 0] = await freePorts(1);
  const fleet = await Fleet.start(t, {
    further: `services:
  listen: 127.0.0.1:${services}
  trustDomains: [{ name: prod.example, bundle: ./prod.pem }]
`,
    prepare: (directory) => {
      writeFileSync(join(directory, 'prod.pem'), pemOf(root));
      const policy = `${POLICY.slice(0, -2)}, { id: api-wiki, allow: wiki, who: "service:${API}" }]\n`;
      writeFileSync(join(directory, 'policy.yaml'), policy);
    },
  });
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  const { cookie } = await fleet.signIn();

  const begin = async (port: number, head: string, own: ConnectionOptions = {}): Promise<TLSSocket> => {
    const host = '127.0.0.1';
    const socket = connect({ host, port, ca: fleet.ca, servername: 'wiki.localhost', ...own });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(`${head}\r\nHost: wiki.localhost:${port}\r\nAccept: application/json\r\n`);
    return socket;
  };
  const shown = { cert: pemOf(leaf), key: await keyPem(leaf) };
  const stream = await begin(services, 'GET /events HTTP/1.1', shown);
  stream.write('\r\n');
  const [first] = (await once(stream, 'data')) as [Buffer];
  assert.match(String(first), /^HTTP\/1\.1 200 /);
  stream.resume().on('error', () => undefined);
  const person = await begin(fleet.people, 'GET / HTTP/1.1');
  const service = await begin(services, 'GET / HTTP/1.1', shown);

  gateway.part.signal('SIGTERM');
  await until('it stops', async () => !(await gateway.ready()).ready);
  await sleep(500);
  person.write(`Cookie: ${cookie}\r\n\r\n`);
  service.write('\r\n');
  for (const socket of [person, service])
    assert.match(await text(socket), /^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n[\s\S]*ok/);
  assert.equal(stream.destroyed, false, 'what runs goes on');
  stream.destroy();
  assert.deepEqual(await gateway.part.ended, { code: 0, signal: null });
});
