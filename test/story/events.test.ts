// What a day leaves in the record: each event valid ECS 9.4, numbered without a gap, with an id of its own, on one line.
// Every story's record is held to that when it ends; here a whole day is, and the look is shown to find what is wrong.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { faultsOf } from './record.ts';
import { stepsOf } from './steps.ts';

/** Ways to spoil a record, as a change of its lines; each must be found. */
const SPOILT: Readonly<Record<string, (lines: string[]) => string[]>> = {
  'a line is missing': (lines) => lines.toSpliced(5, 1),
  'a line is there twice': (lines) => lines.toSpliced(5, 0, lines[5] ?? ''),
  'two lines are swapped': (lines) => [
    ...lines.slice(0, 5),
    ...lines.slice(5, 7).reverse(),
    ...lines.slice(7),
  ],
  'an id is used again': (lines) => {
    const id = (line = ''): string => JSON.parse(line).event.id;
    return lines.with(6, (lines[6] ?? '').replace(id(lines[6]), id(lines[5])));
  },
  'the last line is torn': (lines) => [...lines.slice(0, -1), ''],
  'a line is no JSON': (lines) => lines.with(5, '{"event":'),
  'a field is not ECS': (lines) =>
    lines.with(5, (lines[5] ?? '').replace('"message":', '"massage":1,"message":')),
  'a category is none': (lines) =>
    lines.with(5, (lines[5] ?? '').replace(/"category":\[[^\]]*\]/, '"category":["mischief"]')),
};

/** What must be told of that day; more may be. */
const DAY = [
  'access-allowed',
  'access-denied',
  'connector-connected',
  'connector-disconnected',
  'connector-enrolled',
  'enrolment-token-created',
  'gateway-started',
  'gateway-stopped',
  'login-failed',
  'login-succeeded',
  'logout',
  'policy-loaded',
  'policy-rejected',
  'request-refused',
  'session-ended',
  'step-up-succeeded',
  'stream-closed',
];

test('a day in the record', { skip: requires(...NEEDS), timeout: 120_000 }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const step = stepsOf(t);
  const { portal, outbox } = installation;
  const wiki = `${installation.originOf('wiki')}/`;
  const actions = (): string[] => installation.events().map(({ event }) => event.action);

  await step('everything that happens is there', async () => {
    const ada = installation.visitor();
    await ada.signIn(wiki, 'ada', 'password');
    await ada.signIn(`${installation.originOf('vault')}/`, 'ada', 'password');
    await ada.ask(`${wiki}large.bin`);
    await ada.ask(`${wiki}a//b`);
    await ada
      .visit(`${wiki}.sallyport/step-up?path=/`)
      .then((page) => ada.visit(`${page.url}?person=ada&way=key`));
    await ada.ask(`${wiki}.sallyport/enter?code=guess`);
    installation.write('policy.yaml', 'rules: [');
    installation.gateway.signal('SIGHUP');
    await until('the policy is rejected', () => actions().includes('policy-rejected'));
    installation.write('policy.yaml', POLICY);
    await ada.ask(`${portal}/sign-out`, { method: 'POST', headers: { origin: portal } });
    await installation.connector.stop();
    await until('the connector has gone', () => actions().includes('connector-disconnected'));
    await installation.gateway.stop();
    await installation.startGateway();
    installation.startConnector('--token-file', 'enrol.token');
    await installation.connected();
    await installation.gateway.stop();
    const missing = DAY.filter((action) => !actions().includes(action));
    assert.deepEqual(missing, []);
  });

  await step('it is complete and valid, across a restart', () => {
    assert.deepEqual(faultsOf(outbox), []);
    const starts = actions().filter((action) => action === 'gateway-started');
    assert.equal(starts.length, 2);
    t.diagnostic(`${actions().length} events`);
  });

  await step('a record that was spoilt is found to be', () => {
    for (const [what, spoil] of Object.entries(SPOILT)) {
      const copy = installation.path(`spoilt ${what}`);
      cpSync(outbox, copy, { recursive: true });
      const name = readdirSync(copy).find((file) => file.endsWith('.jsonl')) ?? '';
      const lines = readFileSync(join(copy, name), 'utf8').split('\n');
      const spoilt = what.includes('torn')
        ? spoil(lines.slice(0, -1)).join('\n').slice(0, -20)
        : spoil(lines).join('\n');
      writeFileSync(join(copy, name), spoilt);
      assert.notDeepEqual(faultsOf(copy), [], what);
    }
  });
});
