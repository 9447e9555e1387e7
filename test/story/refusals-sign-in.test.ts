// Sign-ins that somebody tampers with: wrong, missing and used states, other browsers, other issuers, hand-off codes
// used twice, redirects to elsewhere, forms of other sites. No session comes of any of them, and each is recorded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply, Visitor } from '#bin/demo/visitor';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import type { Recorded } from './record.ts';
import { stepsOf } from './steps.ts';

/** Goes the way of a sign-in as Ada up to the first address that `stop` accepts, and does not go there. */
async function walk(visitor: Visitor, from: string, stop: (url: URL) => boolean): Promise<string> {
  let next = from;
  for (let hop = 0; hop < 20; hop += 1) {
    const reply = await visitor.ask(next, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } });
    const { location } = reply.headers;
    if (typeof location === 'string') next = new URL(location, next).href;
    else if (new URL(next).pathname.startsWith('/interaction/')) next = `${next}?person=ada&way=password`;
    else assert.fail(`the way ends at ${next} with ${reply.status}: ${reply.body}`);
    if (stop(new URL(next))) return next;
  }
  return assert.fail('the way has no end');
}

const isCallback = (url: URL): boolean => url.pathname.startsWith('/callback/');
const isEntry = (url: URL): boolean => url.pathname === '/.sallyport/enter';

function withQuery(url: string, change: (query: URLSearchParams) => void): string {
  const changed = new URL(url);
  change(changed.searchParams);
  return changed.href;
}

test('a sign-in that was tampered with opens nothing', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { portal, nginx } = installation;
  const step = stepsOf(t);
  const wiki = installation.originOf('wiki');
  const newest = (): Recorded => installation.events().at(-1) ?? assert.fail('nothing is recorded');

  /** A refused answer: no session cookie, and its record. */
  const refused = (reply: Reply, status: number, code: string): void => {
    assert.equal(reply.status, status, reply.body);
    assert.doesNotMatch(String(reply.headers['set-cookie'] ?? ''), /__Host-sallyport=[^;]/);
    assert.deepEqual([newest().event.code, newest().event.action], [code, 'login-failed']);
  };

  const tampered: readonly (readonly [string, number, string, (callback: string) => string])[] = [
    ['without a state', 400, 'state-unknown', (url) => withQuery(url, (query) => query.delete('state'))],
    ['with another state', 400, 'state-unknown', (url) => withQuery(url, (query) => query.set('state', 'x'))],
    ['with two states', 400, 'state-unknown', (url) => withQuery(url, (query) => query.append('state', 'x'))],
    [
      'from another issuer',
      403,
      'issuer-mismatch',
      (url) => withQuery(url, (query) => query.set('iss', 'https://evil.example')),
    ],
    ['without an issuer', 403, 'issuer-mismatch', (url) => withQuery(url, (query) => query.delete('iss'))],
    [
      'with another code',
      403,
      'provider-refused',
      (url) => withQuery(url, (query) => query.set('code', 'x')),
    ],
    [
      'with an error',
      403,
      'login-cancelled',
      (url) => withQuery(url, (query) => query.set('error', 'access_denied')),
    ],
    ['for another provider', 400, 'state-unknown', (url) => url.replace('/callback/corp', '/callback/other')],
  ];
  for (const [what, status, code, change] of tampered) {
    await t.test(`a callback ${what}: ${status} ${code}`, async () => {
      const ada = installation.visitor();
      const callback = await walk(ada, `${wiki}/`, isCallback);
      refused(await ada.ask(change(callback)), status, code);
      assert.equal((await ada.ask(`${wiki}/`)).status, 401);
    });
  }

  await step('a callback in another browser, which is how one is signed in as somebody else', async () => {
    const [attacker, victim] = [installation.visitor(), installation.visitor()];
    const callback = await walk(attacker, `${portal}/sign-in`, isCallback);
    refused(await victim.ask(callback), 400, 'other-browser');
    refused(await attacker.ask(callback), 400, 'state-unknown');
  });

  await step('a callback a second time', async () => {
    const ada = installation.visitor();
    const callback = await walk(ada, `${wiki}/`, isCallback);
    assert.equal((await ada.ask(callback)).status, 302);
    refused(await ada.ask(callback), 400, 'state-unknown');
  });

  await step('a hand-off code: once, in the browser that began, on the host it is for', async () => {
    const ada = installation.visitor();
    const entry = await walk(ada, `${wiki}/`, isEntry);
    const elsewhere = entry.replace('wiki.localhost', 'drop.localhost');
    refused(await ada.ask(elsewhere), 400, 'hand-off-unknown');
    const second = await walk(ada, `${wiki}/`, isEntry);
    refused(await installation.visitor().ask(second), 400, 'hand-off-unknown');
    refused(await ada.ask(second), 400, 'hand-off-unknown');
    const third = await walk(ada, `${wiki}/`, isEntry);
    assert.equal((await ada.ask(third)).status, 302);
    refused(await ada.ask(third), 400, 'hand-off-unknown');
    refused(await ada.ask(`${wiki}/.sallyport/enter?code=guess`), 400, 'hand-off-unknown');
    refused(await ada.ask(`${wiki}/.sallyport/enter`), 400, 'hand-off-unknown');
  });

  await step('a way back leads to our own hosts only', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${wiki}/`, 'ada', 'password');
    const start = 'A'.repeat(43);
    const own = [portal, ...['wiki', 'drop'].map((app) => installation.originOf(app))];
    for (const query of [
      'host=evil.example&path=/',
      'host=wiki.localhost.evil.example&path=/',
      'host=wiki.localhost@evil.example&path=/',
      'host=wiki.localhost:1&path=/',
      'host=WIKI.localhost&path=/',
      'host=wiki.localhost%00.evil.example&path=/',
      'host=wiki.localhost&path=//evil.example/',
      'host=wiki.localhost&path=https://evil.example/',
      'host=wiki.localhost&path=/%5cevil.example',
      'host=wiki.localhost&path=/%09/evil.example',
      'host=wiki.localhost&path=/%0d%0aLocation:https://evil.example',
      'host=wiki.localhost&path=@evil.example',
      'path=//evil.example/',
      'path=/%5c/evil.example',
      'path=https://evil.example',
    ]) {
      const reply = await ada.ask(`${portal}/sign-in?${query}&start=${start}`);
      assert.equal(reply.status, 302, query);
      const location = String(reply.headers['location']);
      assert.ok(own.includes(new URL(location).origin), `${query} leads to ${location}`);
      assert.doesNotMatch(location, /evil/);
    }
    for (const path of ['//evil.example', 'https://evil.example', '/%5cevil.example']) {
      const reply = await ada.ask(`${wiki}/.sallyport/step-up?${new URLSearchParams({ path })}`);
      assert.equal(new URL(String(reply.headers['location'])).origin, portal);
    }
  });

  await step('a step-up that came back with a foreign path ends on the app’s first page', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${wiki}/`, 'ada', 'password');
    const before = nginx.log().length;
    const page = await ada.visit(`${wiki}/.sallyport/step-up?path=//evil.example/x`);
    const back = await ada.visit(`${page.url}?person=ada&way=key`);
    assert.equal(back.url, `${wiki}/`);
    // nginx writes its line after the answer has gone out.
    await until('nginx has logged it', () => nginx.log().length > before);
    assert.deepEqual(
      nginx
        .log()
        .slice(before)
        .map(({ request }) => request),
      ['GET / HTTP/1.1'],
    );
  });

  await step('a form of another site signs nobody out', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${wiki}/`, 'ada', 'password');
    for (const origin of ['https://evil.example', 'null', wiki, undefined]) {
      const ask = { method: 'POST', ...(origin === undefined ? {} : { headers: { origin } }) };
      const reply = await ada.ask(`${portal}/sign-out`, ask);
      assert.equal(reply.status, 403, String(origin));
      assert.deepEqual([newest().event.action, newest().event.code], ['request-refused', 'cross-site']);
    }
    assert.equal((await ada.ask(`${portal}/sign-out`)).status, 200, 'nor does a link');
    assert.equal((await ada.ask(`${wiki}/`)).status, 200);
    const reply = await ada.ask(`${portal}/sign-out`, { method: 'POST', headers: { origin: portal } });
    assert.equal(reply.status, 200);
    assert.equal((await ada.ask(`${wiki}/`)).status, 401);
  });

  await step('a session is not kept from before a sign-in (fixation)', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${portal}/`, 'ada', 'password');
    const fixed = ada.cookieHeader('access.localhost');
    await ada
      .visit(`${wiki}/.sallyport/step-up?path=/`)
      .then((page) => ada.visit(`${page.url}?person=ada&way=key`));
    assert.notEqual(ada.cookieHeader('access.localhost'), fixed);
    const thief = await installation.visitor().ask(`${portal}/`, { headers: { cookie: fixed } });
    assert.equal(thief.headers['location'], `${portal}/sign-in`);
  });
});
