// Real Chromium as a person's browser. It trusts the installation's development CA by that authority's key alone, so
// that a wrong certificate is still an error; and it keeps pictures of the pages for people to look at.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import type { StoryInstallation } from './installation.ts';

export const CHROMIUM = '/usr/bin/chromium';
const PICTURES = join(import.meta.dirname, 'screenshots');
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** One person at one browser. */
export class Person {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser complained about: blocked styles, mixed content, errors of pages. */
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => {
      // A refused page is reported as one; what counts is what went wrong on a page.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
        this.complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
  }

  static async sitDown(installation: StoryInstallation): Promise<Person> {
    const key = new X509Certificate(installation.ca).publicKey.export({ type: 'spki', format: 'der' });
    const pin = createHash('sha256').update(key).digest('base64');
    const profile = installation.path('chromium');
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      args: [...FLAGS, `--ignore-certificate-errors-spki-list=${pin}`],
      viewport: { width: 1000, height: 700 },
    });
    installation.atEnd(() => context.close());
    return new Person(context, context.pages()[0] ?? (await context.newPage()));
  }

  /** Clicks the link or button with this text. */
  async click(text: string): Promise<void> {
    await this.page.locator('a, button', { hasText: text }).click();
  }

  /** The text of an element. */
  async read(selector: string): Promise<string> {
    return (await this.page.locator(selector).textContent()) ?? '';
  }

  /** Takes pictures in light and dark, and holds the page against what axe can check. */
  async look(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    for (const colorScheme of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}.png`) });
      assert.deepEqual(await this.#barriers(), [], `${name} in ${colorScheme}: barriers for some people`);
    }
  }

  /** A picture on a telephone's screen: nothing may stick out. */
  async lookAtTelephone(name: string): Promise<void> {
    await this.page.setViewportSize({ width: 360, height: 740 });
    await this.page.screenshot({ path: join(PICTURES, `${name}-telephone.png`) });
    const [width, wanted] = await this.page.evaluate<number[]>(
      '[document.documentElement.clientWidth, document.documentElement.scrollWidth]',
    );
    await this.page.setViewportSize({ width: 1000, height: 700 });
    assert.equal(wanted, width, `${name} fits a narrow screen`);
  }

  async #barriers(): Promise<string[]> {
    await this.page.evaluate(axe.source);
    const found = await this.page.evaluate<{ id: string; nodes: { html: string }[] }[]>(
      "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations)",
    );
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  }

  /** Presses Tab until the link or button with this text has the focus, as somebody without a mouse does. */
  async tabTo(text: string | RegExp): Promise<void> {
    const passed: string[] = [];
    for (let press = 0; press < 20; press += 1) {
      await this.page.keyboard.press('Tab');
      const [name = '', ring = ''] = await this.page.evaluate<string[]>(
        '[document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]',
      );
      passed.push(name);
      if (typeof text === 'string' ? name.trim() === text : text.test(name)) {
        assert.notEqual(ring, 'none', `${name} shows that it has the focus`);
        return;
      }
    }
    assert.fail(`Tab does not lead to ${text}, only to: ${passed.join(' | ')}`);
  }
}
