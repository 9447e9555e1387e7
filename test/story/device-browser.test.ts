// A person at Chromium on a machine with a TPM: the policy asks for a hardened device, the machine passes; when what it
// measured changes, the open WebSocket is closed, the page says why and how to mend it, and the SIEM has the alert. The
// commands are those of docs/attestation.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bootEvents } from '../gateway/attest/boot-log.ts';
import { requires } from '../requires.ts';
import { Person as Browser, CHROMIUM } from './browser.ts';
import { shownCommands } from './commands.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { ATTESTATION, MACHINE_NEEDS, StoryMachine } from './machine.ts';
import { type Part, until } from './part.ts';
import { stepsOf } from './steps.ts';
import { Person } from './terminal/person.ts';

const PAGE = 'docs/attestation.md';
const SINK = 'siem: { sinks: [{ name: disk, type: files, path: ./shipped.jsonl }] }\n';
/** Milliseconds from the change in the TPM to the closed WebSocket. */
const PROMISE = 2_000;

test('Chromium on a machine with a TPM passes, and no longer once the machine has changed', {
  skip: requires(...NEEDS, ...MACHINE_NEEDS, CHROMIUM),
}, async (t) => {
  const machine = await StoryMachine.switchOn(t);
  const installation = await StoryInstallation.start(t, {
    further: ATTESTATION + SINK,
    prepare: (directory) => machine.prepare(directory),
  });
  const browser = await Browser.sitDown(installation);
  const terminal = new Person(installation, 'ada');
  const step = stepsOf(t);
  const { page } = browser;
  const { portal } = installation;
  const drop = `${installation.originOf('drop')}/`;
  const admin = shownCommands(PAGE, 'device-admin');
  const own = shownCommands(PAGE, 'device-machine');
  const heading = (): Promise<string> => browser.read('h1');
  let agent!: Part;

  /** The next command of an admin, as the page shows it. */
  async function administer(expected: RegExp, baseline = ''): Promise<string> {
    const words = (admin.shift() ?? []).map((word) => (word === 'BASELINE' ? baseline : word));
    const { code, output } = await installation.sallyport(...words);
    assert.equal(code, 0, output);
    assert.match(output, expected);
    return output;
  }

  /** The next command on the machine, as the page shows it but for where things are here. */
  function type(...further: readonly string[]): Part {
    const words = (own.shift() ?? []).map((word) => (word === 'https://access.example.com' ? portal : word));
    return terminal.run(...words, ...further);
  }

  await step('enrolled and approved as the page says', async () => {
    await administer(/^$/);
    const enrolled = type('--ca', 'state/development-ca/ca.pem', '--tpm', machine.tpm.address);
    assert.equal((await enrolled.ended).code, 0, enrolled.output);
    const status = type();
    assert.equal((await status.ended).code, 0, status.output);
    await administer(/ada-laptop +pending/);
    await administer(/ada-laptop is approved/);
  });

  await step('the person signs in, and lets the command line in, in their browser', async () => {
    await page.goto(portal);
    await page.locator('section', { hasText: 'Ada Ferrara' }).getByText('password only').click();
    await page.waitForURL((url) => !url.hostname.startsWith('id.'));
    const login = type('--ca', 'state/development-ca/ca.pem', '--no-browser');
    const [, url = '', number = ''] = await login.said(/(https:\S+)\n.*number (\d{3} \d{3})/);
    await page.goto(url);
    await browser.click(`It shows ${number}`);
    await page.waitForURL(/127\.0\.0\.1/);
    assert.equal((await login.ended).code, 0, login.output);
    agent = type('--event-log', machine.eventLog);
    await agent.said(/baseline-missing[\s\S]*bound to this device/);
  });

  await step('a baseline is learnt from the device and approved', async () => {
    await administer(/learnt/);
    const id = (await administer(/not approved/)).match(/[0-9a-f]{8}-[0-9a-f-]{27}/)?.[0];
    await administer(/approved/, id);
    const attested = terminal.run('device', 'attest', '--event-log', machine.eventLog);
    assert.equal((await attested.ended).code, 0, attested.output);
    assert.match(attested.output, /affirming/);
  });

  await step('the app asks which device this is; one button shows it, and the app opens', async () => {
    const reply = await page.goto(drop);
    assert.equal(reply?.status(), 403);
    assert.equal(await heading(), 'Access denied');
    await browser.look('denied-device');
    await browser.lookAtTelephone('denied-device');
    await browser.tabTo('Show which device this is');
    await page.keyboard.press('Enter');
    await page.getByText('"claims"').waitFor();
    assert.equal(page.url(), drop);
  });

  await step('after a PCR changed the open WebSocket is closed within two seconds', async () => {
    await page.evaluate(
      "new Promise((open, fail) => { const ws = new WebSocket('/echo'); ws.onerror = fail; ws.onopen = open;" +
        ' window.gone = new Promise((closed) => { ws.onclose = () => closed(Date.now()); }); }).then(() => true)',
    );
    const changed = Date.now();
    await machine.tpm.extend(7, Buffer.alloc(32, 1));
    const closed = await page.evaluate<number>('window.gone');
    t.diagnostic(`closed ${closed - changed} ms after the PCR changed`);
    assert.ok(closed - changed < PROMISE, `${closed - changed} ms`);
  });

  await step('the page says why, and how to mend it', async () => {
    const reply = await page.goto(drop);
    assert.equal(reply?.status(), 403);
    const text = await browser.read('main');
    assert.match(text, /asks for more than your device shows/);
    assert.match(text, /event log does not lead to the PCRs that were quoted/);
    assert.match(text, /What to do.*Restart the device/s);
    await browser.look('denied-unwell');
    await browser.lookAtTelephone('denied-unwell');
  });

  await step('the SIEM has the alert and the end of the stream', async () => {
    const shipped = await until('both are shipped', () => {
      const lines = readFileSync(installation.path('shipped.jsonl'), 'utf8').split('\n').filter(Boolean);
      const events = lines.map((line) => JSON.parse(line));
      const found = ['device-posture-failed', 'stream-closed'].map((action) =>
        events.find(({ event }) => event.action === action),
      );
      return found.every((one) => one !== undefined) && found;
    });
    const [alert, closed] = shipped;
    assert.equal(alert.event.kind, 'alert');
    assert.equal(alert.event.code, 'log-mismatch');
    assert.equal(alert.sallyport.device.name, 'ada-laptop');
    assert.equal(closed.event.code, 'posture-changed');
    assert.ok(closed.sallyport.stream.enforce_ms < PROMISE);
  });

  await step(
    'restarted and signed in again, the machine passes; with secure boot off it does not',
    async () => {
      await machine.reboot();
      await agent.said(/log-mismatch[\s\S]*affirming/);
      await page.goto(drop);
      assert.match(await browser.read('main'), /restarted, or was suspended, since you signed in/);
      await page.goto(`${portal}/sign-out`);
      await page.locator('main button').click();
      await page.goto(portal);
      // The identity provider still knows the person.
      assert.equal(await heading(), 'Your apps');
      const login = terminal.run(
        'login',
        '--portal',
        portal,
        '--ca',
        'state/development-ca/ca.pem',
        '--no-browser',
      );
      const [, url = ''] = await login.said(/(https:\S+)\n/);
      await page.goto(url);
      await page.locator('main button').click();
      assert.equal((await login.ended).code, 0, login.output);
      await agent.said(/bound to this device[\s\S]*bound to this device/);
      await page.goto(`${drop}.sallyport/device?path=/`);
      assert.equal(page.url(), drop);
      await machine.reboot(bootEvents({ secureBoot: Buffer.of(0) }));
      await agent.said(/secure-boot-off/);
      const reply = await page.goto(drop);
      assert.equal(reply?.status(), 403);
      assert.match(await browser.read('main'), /Secure boot is off/);
    },
  );

  assert.deepEqual([admin, own], [[], []], 'every command of the page was typed');
  assert.deepEqual(browser.complaints, []);
});
