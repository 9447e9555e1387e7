// The main job as a person sees it, in real Chromium: sign in, reach an app, be denied elsewhere and learn why, get in
// with a second factor, sign out for good.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Visitor } from '#bin/demo/visitor';
import { requires } from '../requires.ts';
import { CHROMIUM, Person } from './browser.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

/** A second provider that is down: people choose between two, and one of them cannot help. */
async function absentProvider(): Promise<string> {
  const [port] = await freePorts(1);
  return `    - { id: partner, name: Partner Ltd, issuer: "https://partner.localhost:${port}", clientId: x }\n`;
}

const REFERENCE = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

test('a person signs in, works, is denied and told why, steps up, and signs out', {
  skip: requires(...NEEDS, CHROMIUM),
}, async (t) => {
  const installation = await StoryInstallation.start(t, { providers: await absentProvider() });
  const person = await Person.sitDown(installation);
  const step = stepsOf(t);
  const { page } = person;
  const { portal } = installation;
  const heading = (): Promise<string> => person.read('h1');

  await step('the portal asks who it is, by one of the providers', async () => {
    await page.goto(portal);
    assert.equal(await heading(), 'Sign in');
    await person.look('sign-in');
    await person.lookAtTelephone('sign-in');
  });

  await step('a provider that is down is said to be, and there is a way back', async () => {
    const [reply] = await Promise.all([page.waitForNavigation(), person.click('Partner Ltd')]);
    assert.equal(reply?.status(), 503);
    assert.match(await heading(), /not available/);
    const failed = installation.events().findLast(({ event }) => event.action === 'login-failed');
    assert.equal(failed?.event.code, 'provider-unreachable', 'it is recorded');
    assert.match(
      installation.gateway.output,
      /sign-ins with partner fail \(provider-unreachable\): .*ECONNREFUSED/,
    );
    await person.look('provider-down');
    await person.click('Try again');
    assert.equal(await heading(), 'Sign in');
  });

  await step('signed in at the provider, the person sees the apps that are theirs', async () => {
    await person.click('Continue with Example Corp');
    await signInAs(person, 'Ada Ferrara', 'password only');
    assert.equal(page.url(), `${portal}/`);
    assert.equal(await heading(), 'Your apps');
    assert.deepEqual(await statesOfCards(person), {
      Wiki: 'Ready',
      Vault: 'Asks for a second factor first',
      Drop: 'Ready',
      Mirror: 'Ready',
      Spare: 'Not reachable at the moment',
    });
    await person.look('portal');
    await person.lookAtTelephone('portal');
  });

  await step('without a mouse: Tab to the app, Enter, and nginx answers', async () => {
    await person.tabTo(/^Wiki/);
    await Promise.all([page.waitForURL(`${installation.originOf('wiki')}/`), page.keyboard.press('Enter')]);
    assert.equal(await heading(), 'Wiki');
    await person.look('app');
    const [reached] = installation.nginx.log().filter(({ request }) => request === 'GET / HTTP/1.1');
    assert.equal(reached?.host, `wiki.localhost:${installation.ports.people}`);
    assert.equal(reached?.cookie, '', 'our cookies are not the app’s');
  });

  await step('an app that asks for more says what is missing, and nothing reaches it', async () => {
    const before = installation.nginx.log().length;
    const reply = await page.goto(`${installation.originOf('vault')}/keys`);
    assert.equal(reply?.status(), 403);
    assert.equal(await heading(), 'Access denied');
    const text = await person.read('main');
    assert.match(text, /Vault asks for a fresh sign-in with a second factor/);
    assert.match(text, /Missing: a recent sign-in with a second factor/);
    assert.match(text, /You belong to a group this app is open to/);
    await person.look('denied');
    await person.lookAtTelephone('denied');
    assert.equal(installation.nginx.log().length, before);
    const denials = installation.events().filter(({ event }) => event.action === 'access-denied');
    assert.deepEqual(
      denials.map(({ url }) => url?.path),
      ['/keys'],
      'one denied page is one deny',
    );
    await explains(installation, REFERENCE.exec(text)?.[0] ?? '', /engineers-vault/);
  });

  await step('an app for others is not even confirmed to be there', async () => {
    const reply = await page.goto(`${installation.originOf('ledger')}/`);
    assert.equal(reply?.status(), 403);
    const text = await person.read('main');
    assert.doesNotMatch(text, /ledger|finance|group/i);
    await person.look('denied-unknown');
    await explains(installation, REFERENCE.exec(text)?.[0] ?? '', /finance-ledger/);
  });

  await step('an address without an app says so, looks like our other pages, and leads back', async () => {
    const reply = await page.goto(installation.originOf('wiki').replace('wiki', 'wikki'));
    assert.equal(reply?.status(), 421);
    assert.match(await person.read('main'), /no app at this address.*host-not-served/);
    await person.look('no-app');
    await person.lookAtTelephone('no-app');
    const asked = await page.evaluate<string[]>(
      "performance.getEntriesByType('resource').map(({ name }) => name)",
    );
    assert.deepEqual(asked, [], 'the page asks for nothing where there is nothing');
    await person.click('Your apps');
    assert.equal(page.url(), `${portal}/`);
  });

  await step(
    'the page’s own button leads through the second factor to where the person was going',
    async () => {
      await page.goto(`${installation.originOf('vault')}/?shelf=2`);
      await person.tabTo('Sign in with a second factor');
      await Promise.all([page.waitForURL(/\/interaction\//), page.keyboard.press('Enter')]);
      await person.look('step-up');
      await signInAs(person, 'Ada Ferrara', 'password and security key');
      assert.equal(page.url(), `${installation.originOf('vault')}/?shelf=2`);
      assert.equal(await heading(), 'Wiki', 'the app’s own page');
      const asked = installation.nginx.log().map(({ request }) => request);
      assert.equal(asked.filter((request) => request === 'GET /?shelf=2 HTTP/1.1').length, 1);
    },
  );

  await step('the second factor shows on the portal, and the old session is gone everywhere', async () => {
    await page.goto(portal);
    assert.equal((await statesOfCards(person))['Vault'], 'Ready');
    // The cookie of the wiki belongs to the session before the step-up: it opens nothing, and a new one comes by itself.
    await page.goto(`${installation.originOf('wiki')}/`);
    assert.equal(await heading(), 'Wiki');
  });

  await step('signing out ends it on the server: kept cookies open nothing', async () => {
    const thief = await copyOf(person, installation);
    const wiki = `${installation.originOf('wiki')}/`;
    assert.equal((await thief.ask(wiki)).status, 200, 'a copy of the cookies works while the session lives');
    await page.goto(portal);
    await person.click('Sign out');
    assert.equal(await heading(), 'Sign out?');
    await person.look('sign-out');
    await page.locator('main button').click();
    assert.equal(await heading(), 'You are signed out');
    await person.look('signed-out');
    const before = installation.nginx.log().length;
    for (const app of ['wiki', 'vault', 'drop']) {
      assert.equal((await thief.ask(`${installation.originOf(app)}/`)).status, 401, app);
    }
    assert.equal((await thief.ask(`${portal}/`)).headers['location'], `${portal}/sign-in`);
    assert.equal(installation.nginx.log().length, before);
  });

  await step('signed out at the provider too, somebody else signs in and sees their apps only', async () => {
    await person.click('Sign out of the identity provider too');
    await person.click('Yes, sign me out');
    await page.waitForURL(`${portal}/sign-out`);
    assert.equal(await heading(), 'You are signed out');
    await person.click('Sign in again');
    await person.click('Continue with Example Corp');
    await signInAs(person, 'Cleo', 'password only');
    assert.match(await person.read('header'), /Cleo <Müller> & Söhne/);
    assert.deepEqual(await page.locator('.card strong').allTextContents(), ['Ledger']);
  });

  assert.deepEqual(person.complaints, [], 'the browser has nothing to complain about');
});

/** What the portal says of each app. */
async function statesOfCards({ page }: Person): Promise<Record<string, string>> {
  const names = await page.locator('.card strong').allTextContents();
  const states = await page.locator('.card .state').allTextContents();
  return Object.fromEntries(names.map((name, index) => [name, states[index] ?? '']));
}

async function signInAs({ page }: Person, name: string, way: string): Promise<void> {
  await page.locator('section', { hasText: name }).getByText(way).click();
  await page.waitForURL((url) => !url.hostname.startsWith('id.'));
}

/** Somebody who got hold of this browser's cookies. */
async function copyOf({ context }: Person, installation: StoryInstallation): Promise<Visitor> {
  const thief = installation.visitor();
  for (const { domain, name, value } of await context.cookies()) {
    const jar = thief.cookies.get(domain) ?? new Map<string, string>();
    thief.cookies.set(domain, jar.set(name, value));
  }
  return thief;
}

/** `sallyport why` tells the admin what the page must not: the rule. */
async function explains(installation: StoryInstallation, id: string, what: RegExp): Promise<void> {
  const { code, output } = await installation.sallyport('why', id, '--config', 'gateway.yaml');
  assert.equal(code, 0, output);
  assert.match(output, what);
  assert.match(output, /ada/i);
}
