// A rate in a policy, as people meet it: so many requests, then 429 with the time to wait, and nobody else is touched.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { stepsOf } from './steps.ts';

const LIMITED = POLICY.replaceAll('paths: ["/**"]', 'paths: ["/**"], rate: { limit: 4/1h, by: [user, app] }');

test('a rate in a policy', { skip: requires(...NEEDS) }, async (t) => {
  const prepare = (directory: string): void => writeFileSync(join(directory, 'policy.yaml'), LIMITED);
  const installation = await StoryInstallation.start(t, { prepare });
  const step = stepsOf(t);
  const wiki = `${installation.originOf('wiki')}/`;
  const ada = installation.visitor();

  await step('lets so many through', async () => {
    // Ada's first is the page she lands on.
    assert.equal((await ada.signIn(wiki, 'ada', 'password')).status, 200);
    for (let i = 0; i < 3; i += 1) assert.equal((await ada.ask(wiki)).status, 200);
  });

  await step('and refuses the next with the time to wait, in words for people and for programs', async () => {
    const program = await ada.ask(wiki);
    assert.equal(program.status, 429);
    const wait = Number(program.headers['retry-after']);
    assert.ok(wait > 3000 && wait <= 3600, String(wait));
    const answer = JSON.parse(program.body);
    assert.equal(answer.remedy.kind, 'wait-until');
    assert.deepEqual(
      answer.missing.map(({ criterion }: { criterion: string }) => criterion),
      ['rate'],
    );
    const page = await ada.visit(wiki);
    assert.equal(page.status, 429);
    assert.match(page.body, /more of Wiki than its rules allow/);
  });

  await step('recorded as a deny of that rule', () => {
    const denied = installation.events().findLast(({ event }) => event.action === 'access-denied');
    assert.match(JSON.stringify(denied), /"rate-limited"/);
    assert.match(JSON.stringify(denied), /engineers-wiki/);
  });

  await step('for her alone', async () => {
    const ben = installation.visitor();
    assert.equal((await ben.signIn(wiki, 'ben', 'password')).status, 200);
  });

  await step('and the app saw no more than was let through', () => {
    const hers = installation.nginx.log().filter(({ request }) => request === 'GET / HTTP/1.1');
    assert.equal(hers.length, 5);
  });
});
