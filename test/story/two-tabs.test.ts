// A browser that opens several tabs at once, as when it is started again in the morning: each finds its way back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from '#bin/demo/visitor';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';

test('tabs that begin to sign in at the same moment all come in', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const pages = ['/?first', '/?second', '/?third'].map((path) => installation.originOf('wiki') + path);
  const tabs = pages.map((page) => ({ page, tab: installation.visitor() }));
  // One browser. The provider’s cookies are kept apart: they are for paths, of which a visitor knows nothing.
  for (const host of ['wiki.localhost', 'access.localhost']) {
    const jar = new Map<string, string>();
    for (const { tab } of tabs) tab.cookies.set(host, jar);
  }
  const asked = await Promise.all(tabs.map(({ tab, page }) => tab.visit(page)));
  for (const [index, { tab, page }] of tabs.entries()) {
    const { url } = asked[index] as Reply;
    assert.match(new URL(url).pathname, /^\/interaction\//);
    const { status, url: where } = await tab.visit(`${url}?person=ada&way=password`);
    assert.deepEqual([status, where], [200, page]);
  }
  const { tab } = tabs[0] as (typeof tabs)[number];
  const names = (): string[] => tab.cookieHeader('wiki.localhost').match(/[\w-]+(?==)/g) ?? [];
  const before = names();
  await tab.ask(`${installation.originOf('wiki')}/.sallyport/step-up?path=/`);
  assert.deepEqual(names(), before, 'what is begun later takes one that is there');
});
