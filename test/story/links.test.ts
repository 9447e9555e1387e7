// Two connectors for an app, with real processes under load: who gets how much, who stays with whom, and that neither
// a kill nor a restart loses a request that can be sent again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { CONNECTOR } from './documents.ts';
import { NEEDS } from './installation.ts';
import { Load } from './load.ts';
import { SECOND, startPair } from './pair.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

test('two connectors for an app', { skip: requires(...NEEDS), timeout: 180_000 }, async (t) => {
  const step = stepsOf(t);
  const { installation, connectors, restart } = await startPair(t, { slower: 60 });
  const ada = installation.visitor();
  for (const app of ['wiki', 'drop']) await ada.signIn(`${installation.originOf(app)}/`, 'ada', 'password');
  const cookieOf = (app: string): string => ada.cookieHeader(`${app}.localhost`);
  const both = async (): Promise<void> => {
    await until('all tunnels again', async () => (await installation.metric('sallyport_tunnels')) === 4);
  };

  await step('the slow one gets less', async () => {
    const load = new Load(installation, { app: 'wiki', cookie: cookieOf('wiki'), clients: 6 });
    await load.more(300);
    const { failures, via } = await load.stop();
    assert.deepEqual(failures, []);
    const [quick = 0, slow = 0] = [via.get(CONNECTOR), via.get(SECOND)];
    t.diagnostic(`${quick} requests to the quick one, ${slow} to the slow one`);
    assert.ok(slow > 0 && quick > 2 * slow, `${quick} and ${slow}`);
  });

  await step('a session sticks to one connector, and moves when that is killed', async () => {
    const visit = async (): Promise<string> => {
      const { status, headers } = await ada.ask(`${installation.originOf('drop')}/`);
      assert.equal(status, 200);
      return String(headers['x-via']);
    };
    const home = await visit();
    for (let i = 0; i < 20; i += 1) assert.equal(await visit(), home);
    await connectors.get(home)?.kill();
    const other = home === CONNECTOR ? SECOND : CONNECTOR;
    assert.equal(await visit(), other);
    restart(home);
    await both();
    for (let i = 0; i < 5; i += 1) assert.equal(await visit(), other, 'it stays where it went');
  });

  await step('kill -9 of one under load fails no GET', async () => {
    const load = new Load(installation, { app: 'wiki', cookie: cookieOf('wiki'), clients: 8 });
    await load.more(100);
    await connectors.get(CONNECTOR)?.kill();
    await load.more(100);
    const { failures, answered } = await load.stop();
    assert.deepEqual(failures, []);
    t.diagnostic(`${answered} GETs around a kill -9, none failed`);
    restart(CONNECTOR);
    await both();
  });

  await step('a restart of one under load fails nothing at all', async () => {
    const cookie = cookieOf('wiki');
    const gets = new Load(installation, { app: 'wiki', cookie, clients: 4 });
    const posts = new Load(installation, { app: 'wiki', cookie, clients: 4, method: 'POST' });
    await gets.more(50);
    const ended = await connectors.get(SECOND)?.stop();
    assert.equal(ended?.code, 0);
    await gets.more(50);
    restart(SECOND);
    await both();
    await gets.more(50);
    assert.deepEqual([...(await gets.stop()).failures, ...(await posts.stop()).failures], []);
    t.diagnostic(`${gets.answered} GETs and ${posts.answered} POSTs around a restart, none failed`);
  });
});
