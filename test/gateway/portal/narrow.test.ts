// Our pages in real Chromium at the width of WCAG 2.1's 1.4.10 (320 CSS pixels: a telephone, or 400 % on a desktop), with
// names as long as people and admins choose them: nothing may stick out, above all not the way out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import {
  approvePage,
  chooseDevicePage,
  deniedPage,
  homePage,
  messagePage,
  signInPage,
  signOutPage,
} from '#gateway/portal/pages';
import { requires } from '#test/requires';
import { CHROMIUM } from '#test/story/browser';

const PORTAL = 'https://access.example.com';
const LONG = `Abteilungs${'übergreifende'.repeat(5)}_${'x'.repeat(60)}`;
const PERSON = 'https://login.example.com/realms/employees#6f1c8d0e-9a53-4f7e-8a65-0c2f4ad7c1b9';

test('pages fit 320 pixels, whatever the names', { skip: requires(CHROMIUM) }, async (t) => {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 320, height: 640 } });
  const denial = {
    title: 'Access denied',
    sentence: `${LONG} asks for more.`,
    checks: [{ met: false, text: LONG, criterion: 'device' }],
    steps: [`Run \`sallyport ${LONG}\`.`],
    remedy: 'none',
    reference: '01a1fc9c-45d1-725b-9a27-5c5ee615e3c4',
  } as const;
  const links = [{ name: LONG, href: '/' }];
  const card = { name: LONG, description: LONG, state: 'Ready' };
  const pages: Record<string, Promise<string>> = {
    'a plain name': homePage(PORTAL, 'Ada Ferrara', [{ ...card, name: 'Wiki', description: '' }]),
    apps: homePage(PORTAL, PERSON, [
      { ...card, href: '/' },
      { ...card, command: `sallyport connect ${LONG}` },
    ]),
    'sign in': signInPage(PORTAL, links),
    'sign out': signOutPage(PORTAL, PERSON),
    approve: approvePage(PORTAL, PERSON, '48 21', {}),
    denied: deniedPage(PORTAL, PERSON, denial),
    device: chooseDevicePage(PORTAL, links),
    message: messagePage(PORTAL, { title: LONG, text: LONG }),
  };
  for (const [name, html] of Object.entries(pages)) {
    await page.setContent(await html);
    const out = await page.evaluate<string[]>(
      `[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 320).map((one) => one.outerHTML.slice(0, 80))`,
    );
    assert.deepEqual(out, [], name);
  }
});

test('how an app is reached from a terminal stands on a line of its own', {
  skip: requires(CHROMIUM),
}, async (t) => {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  const card = {
    name: 'Orders',
    description: 'The database.',
    command: 'sallyport connect orders',
    state: '',
  };
  await page.setContent(await homePage(PORTAL, 'Ada', [card]));
  const [described, command] = await page.evaluate<[number, number]>(
    `[document.querySelector('.soft').getBoundingClientRect().bottom, document.querySelector('code').getBoundingClientRect().top]`,
  );
  assert.ok(command >= described, `${command} is below ${described}`);
});
