// A rule in shadow from the first request to the day it is put in force: recorded as what it would do, without
// effect; counted by replay; promoted; and then enforced by the gateway that runs.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { requires } from '#test/requires';
import { StoryInstallation } from './installation.ts';
import { until } from './part.ts';

test('a shadow rule is recorded, counted, promoted and enforced', { skip: requires('nginx') }, async (t) => {
  const installation = await StoryInstallation.start(t, {
    prepare: (directory) => {
      const file = `${directory}/policy.yaml`;
      const rule =
        '  - { id: no-support, mode: shadow, deny: wiki, who: support, because: Support has moved. }\n';
      const text = readFileSync(file, 'utf8').replace(
        'groups:\n',
        'groups:\n  support: { members: ["corp:support"] }\n',
      );
      writeFileSync(file, text + rule);
    },
  });
  const ben = installation.visitor();
  const wiki = `${installation.originOf('wiki')}/`;
  assert.equal((await ben.signIn(wiki, 'ben', 'password')).status, 200, 'a shadow rule has no effect');
  for (let i = 0; i < 4; i += 1) assert.equal((await ben.ask(wiki)).status, 200);

  const recorded = await until('the decisions are recorded', () => {
    const decisions = installation.events().filter(({ event }) => event.action === 'access-allowed');
    return decisions.length >= 5 && decisions;
  });
  for (const { sallyport } of recorded) {
    const { decision } = sallyport as unknown as { decision: { would_deny?: string[] } };
    assert.deepEqual(decision.would_deny, ['no-support']);
  }

  const replayed = await installation.sallyport(
    'policy',
    'replay',
    'policy.yaml',
    '--state',
    'state',
    '--json',
  );
  const { shadow } = JSON.parse(replayed.output.trim().split('\n').at(-1) ?? '{}');
  assert.deepEqual(shadow, [{ rule: 'no-support', matched: 5, changed: 5 }]);

  const promoted = await installation.sallyport('policy', 'promote', 'policy.yaml', 'no-support', '--write');
  assert.equal(promoted.code, 0, promoted.output);
  const ask = (): ReturnType<typeof ben.ask> => ben.ask(wiki, { headers: { accept: 'application/json' } });
  await until('the running gateway enforces it', async () => (await ask()).status === 403);
  // The next one: the first may have been under way while the policy changed, and is told that its access ended.
  const denied = await ask();
  assert.equal(denied.status, 403);
  assert.equal(JSON.parse(denied.body).message, 'Support has moved.');
});
