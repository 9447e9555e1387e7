// A connector killed in the middle of requests: the client is told at once and never gets a part for the whole, no
// request is sent twice, and the next one works when the connector is back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Dispatcher, request } from 'undici';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from '../story/installation.ts';
import { until } from '../story/part.ts';

test('kill -9 of the connector in the middle of requests', {
  skip: requires(...NEEDS),
  timeout: 120_000,
}, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { receiver } = installation;
  const drop = installation.originOf('drop');
  const ada = installation.visitor();
  await ada.signIn(`${drop}/`, 'ada', 'password');
  const dispatcher = installation.dispatcher(installation.ca);
  const headers = { cookie: ada.cookieHeader('drop.localhost'), accept: 'application/json' };
  const ask = (path: string, more: object = {}): Promise<Dispatcher.ResponseData> =>
    request(drop + path, { dispatcher, headers, ...more });
  const atTheApp = (line: string): number => receiver.seen.filter((seen) => seen.line === line).length;

  const reading = ask('/hold?get');
  const writing = ask('/hold?post', { method: 'POST', body: 'once and only once' });
  const half = await ask('/half');
  const events = await ask('/events');
  await until('all are at the app', () =>
    ['GET /hold?get', 'POST /hold?post'].every((line) => atTheApp(line) === 1),
  );
  const killedAt = performance.now();
  await installation.connector.kill();

  for (const answer of await Promise.all([reading, writing])) {
    assert.equal(answer.statusCode, 502);
    const { code, reference } = (await answer.body.json()) as { code: string; reference: string };
    assert.equal(code, 'connector-lost');
    assert.ok(
      installation.events().some(({ event }) => event.id === reference),
      'the decision can be looked up',
    );
  }
  const told = performance.now() - killedAt;
  t.diagnostic(`502 after ${Math.round(told)} ms (promised: 1000)`);
  assert.ok(told < 1_000, `told after ${told} ms`);
  await assert.rejects(half.body.text(), 'half a body is an error, not a body');
  await assert.rejects(events.body.text());

  const meanwhile = await ask('/meanwhile');
  assert.equal(meanwhile.statusCode, 502);
  assert.equal(((await meanwhile.body.json()) as { code: string }).code, 'no-connector');

  installation.startConnector();
  await installation.connected();
  assert.equal((await ask('/next')).statusCode, 200);
  assert.equal(atTheApp('POST /hold?post'), 1, 'never sent again');
  assert.equal(atTheApp('GET /meanwhile'), 0);
  const ends = installation.events().filter(({ event }) => event.code === 'connector-lost');
  assert.equal(ends.length, 4, 'the end of each is recorded');
  assert.ok(installation.events().some(({ event }) => event.action === 'connector-disconnected'));
});
