// Somebody changes teams at the identity provider: what they may reach follows with their next sign-in, and the sign-in
// before it is of no use to anybody any more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Person } from '#bin/demo/people';
import { requires } from '../requires.ts';
import { PEOPLE } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { stepsOf } from './steps.ts';

test('a person who changes teams', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const step = stepsOf(t);
  const [wiki, ledger] = [installation.originOf('wiki'), installation.originOf('ledger')];
  // What the provider says of her is this object's.
  const person = PEOPLE.find(({ id }) => id === 'ada') as Person & { groups: readonly string[] };
  const before = person.groups;
  t.after(() => {
    person.groups = before;
  });
  const ada = installation.visitor();
  let kept = '';

  await step('reaches what her team reaches', async () => {
    assert.equal((await ada.signIn(`${wiki}/`, 'ada', 'password')).status, 200);
    assert.equal((await ada.visit(`${ledger}/`)).status, 403);
    kept = ada.cookieHeader('wiki.localhost');
  });

  await step('and, once she signs in again, what the other team reaches and nothing else', async () => {
    person.groups = ['finance'];
    const page = await ada.visit(`${wiki}/.sallyport/step-up?path=/`);
    assert.equal((await ada.visit(`${page.url}?person=ada&way=key`)).status, 403);
    assert.equal((await ada.visit(`${ledger}/`)).status, 200);
    assert.equal((await ada.visit(`${wiki}/`)).status, 403);
  });

  await step('while what she was signed in with before opens nothing, whoever has it', async () => {
    const thief = installation.visitor();
    assert.equal((await thief.ask(`${wiki}/`, { headers: { cookie: kept } })).status, 401);
  });
});
