// A gateway of two workers that is told to stop, while one of them has the only tunnel: who is connected to the other one
// is answered all the same.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { REDIS_NEEDS } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { allowsOf, askAnew, twoWorkers } from './state/workers.ts';

test('workers that stop keep their tunnels until nobody is left at any of them', {
  skip: requires(...REDIS_NEEDS),
  timeout: 180_000,
}, async (t) => {
  const { fleet, gateway } = await twoWorkers(t, {
    prepare: (directory) => appendFileSync(join(directory, 'connector.yaml'), 'tunnels: 1\n'),
  });
  const { cookie } = await fleet.signIn();
  await until('both workers serve, one by the other', async () => {
    assert.equal(await askAnew(fleet, gateway, cookie), 200);
    return allowsOf(gateway, 1) > 1 && allowsOf(gateway, 2) > 1;
  });
  assert.equal(await gateway.metric('sallyport_tunnels'), 1);

  // Of so many, some are at the one without a tunnel.
  const begin = async (): Promise<TLSSocket> => {
    const to = { host: gateway.address, port: fleet.people, ca: fleet.ca, servername: 'wiki.localhost' };
    const socket = connect(to);
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(`GET / HTTP/1.1\r\nHost: wiki.localhost:${fleet.people}\r\nAccept: application/json\r\n`);
    return socket;
  };
  const people = await Promise.all(Array.from({ length: 12 }, begin));
  gateway.part.signal('SIGTERM');
  await until('they stop', async () => !(await gateway.ready()).ready);
  await sleep(1_000);
  for (const person of people) person.write(`Cookie: ${cookie}\r\n\r\n`);
  const answers = await Promise.all(people.map((person) => text(person)));
  assert.deepEqual(
    answers.map((answer) => answer.slice(0, 12)),
    people.map(() => 'HTTP/1.1 200'),
  );
  assert.deepEqual(await gateway.part.ended, { code: 0, signal: null });
});
