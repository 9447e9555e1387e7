// Two connectors serve one app, and a rule asks how their machines booted: only the one that proved it carries requests,
// and what is open through it ends when its machine is no longer as it was.
import assert from 'node:assert/strict';
import { hash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import WebSocket from 'ws';
import { readConfig } from '#bin/read-config';
import { connectorSchema, resolvePaths } from '#connectors/config';
import { startConnector } from '#connectors/connector';
import { type Attesting, attestDevice } from '#connectors/device/ceremony';
import { readDevice } from '#connectors/device/key-store';
import { portalAgent } from '#connectors/device/transport';
import { type Identity, loadIdentity } from '#connectors/link/identity';
import { localhostAwareLookup, outboundAgent } from '#connectors/wire/outbound';
import { requires } from '../requires.ts';
import { shownCommands } from './commands.ts';
import { CONNECTOR } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { ATTESTATION, MACHINE_NEEDS, StoryMachine } from './machine.ts';
import { type Part, until } from './part.ts';
import { freePorts } from './ports.ts';
import type { Recorded } from './record.ts';
import { stepsOf } from './steps.ts';
import { Person } from './terminal/person.ts';
import { PROVEN, twoConnectors } from './two-connectors.ts';

const PAGE = 'docs/connector.md';
const HTML = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };

test('a rule that asks for the connector’s machine lets only that carry what proved itself', {
  skip: requires(...NEEDS, ...MACHINE_NEEDS),
}, async (t) => {
  const machine = await StoryMachine.switchOn(t);
  const [nowhere = 0] = await freePorts(1);
  const installation = await StoryInstallation.start(t, {
    further: ATTESTATION,
    prepare: (directory) => {
      machine.prepare(directory);
      twoConnectors(directory, machine, nowhere);
    },
  });
  const step = stepsOf(t);
  const ada = new Person(installation, 'ada');
  const drop = `${installation.originOf('drop')}/`;
  const admin = shownCommands(PAGE, 'posture-admin');
  const own = shownCommands(PAGE, 'posture-connector');
  let proven!: Part;

  const here = (word: string): string => word.replace(/^rack-7/, PROVEN);
  const ask = (headers: Record<string, string> = {}, method = 'GET') =>
    ada.visitor.ask(drop, { method, headers });
  const recorded = (action: string): Recorded[] =>
    installation.events().filter(({ event }) => event.action === action);

  /** The next command of an admin, as the page shows it. */
  async function administer(expected: RegExp, baseline = ''): Promise<string> {
    const words = (admin.shift() ?? []).map((word) => (word === 'BASELINE' ? baseline : here(word)));
    const { code, output } = await installation.sallyport(...words);
    assert.equal(code, 0, output);
    assert.match(output, expected);
    return output;
  }

  function connector(...more: readonly string[]): Part {
    return installation.run(PROVEN, ['connector', '--config', 'rack-2.yaml', ...more]);
  }

  async function restarted(expected: RegExp): Promise<void> {
    assert.equal((await proven.stop()).code, 0, proven.output);
    proven = connector();
    await proven.said(expected);
  }

  /** A WebSocket that the app opened. */
  async function open(): Promise<WebSocket> {
    const ws = new WebSocket(`${drop}echo`.replace('https:', 'wss:'), {
      ca: installation.ca,
      lookup: localhostAwareLookup,
      headers: { cookie: ada.visitor.cookieHeader('drop.localhost'), origin: drop.slice(0, -1) },
    });
    await once(ws, 'open');
    return ws;
  }

  await step('a connector that never attested carries nothing, and the page says what to do', async () => {
    await ada.visitor.signIn(`${installation.portal}/`, 'ada', 'key');
    const cards = await ada.visitor.visit(`${installation.portal}/`);
    assert.match(cards.body, /Its connector has not proved its state/);
    await ada.visitor.visit(drop);
    const denied = await ask(HTML);
    assert.equal(denied.status, 403);
    assert.match(denied.body, /can only be reached through a connector that has proved its state/);
    assert.match(denied.body, /There is nothing wrong with your access/);
    assert.match(denied.body, /Tell your administrator, quoting the reference below/);
    assert.ok(!denied.body.includes(CONNECTOR), 'nobody outside learns what connectors are called');
    const told = JSON.parse((await ask({ accept: 'application/json' })).body);
    assert.deepEqual([told.remedy.kind, told.missing[0].criterion], ['mend-connector', 'connector']);
    const event = recorded('access-denied').at(-1);
    assert.equal(event?.sallyport?.connector?.name, CONNECTOR);
    assert.equal(unmetOf(event), 'connector-posture-unknown');
  });

  await step('a machine is enrolled for one connector, by its own token only', async () => {
    const unknown = await installation.sallyport(
      ...['device', 'token', '--config', 'gateway.yaml', '--connector', 'rack-9'],
    );
    assert.equal(unknown.code, 1);
    assert.match(unknown.output, /no app names a connector "rack-9"/);
    const args = ['--config', 'gateway.yaml', '--connector', PROVEN, '--out', 'rack-2.token'];
    assert.equal((await installation.sallyport('token', 'create', ...args)).code, 0);
    const untold = connector('--token-file', 'rack-2.token');
    assert.equal((await untold.ended).code, 1);
    assert.match(untold.output, /not enrolled.*sallyport device token --connector rack-2/);

    // Brought to the portal it enrols nobody, and is spent.
    await administer(/^$/);
    const stolen = installation.path('rack-2.tpm-token');
    installation.secrets.set('machine token 1', readFileSync(stolen, 'utf8').trim());
    const portal = ['--portal', installation.portal, '--ca', 'state/development-ca/ca.pem'];
    const thief = ada.run(
      ...['device', 'enrol', '--token-file', stolen, ...portal, '--tpm', machine.tpm.address],
    );
    assert.equal((await thief.ended).code, 1, thief.output);
    assert.match(thief.output, /The token is for a connector’s machine/);
    const again = await installation.sallyport(
      ...['device', 'token', '--config', 'gateway.yaml', '--connector', PROVEN],
      ...['--out', 'rack-2.tpm-token'],
    );
    assert.equal(again.code, 0, again.output);
    installation.secrets.set('machine token', readFileSync(stolen, 'utf8').trim());
  });

  await step('it enrols as the page says, and counts when an admin has approved it', async () => {
    const [words = []] = own;
    const typed = words.map((word) => (word === 'connector.yaml' ? 'rack-2.yaml' : here(word)));
    proven = installation.run(PROVEN, typed);
    await proven.said(/TPM is enrolled; an admin has to approve it/);
    await proven.said(/attested: contraindicated.*waits for an admin/);
    await installation.connected(2);
    assert.equal((await ask()).status, 403);
    await administer(/rack-2 +pending .*connector rack-2/);
    await administer(/rack-2 is approved/);
    await restarted(/this machine attested: warning.*baseline/);
    await administer(/learnt/);
    const listed = await installation.sallyport('device', 'baseline', '--config', 'gateway.yaml');
    await administer(/approved/, /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(listed.output)?.[0]);
    await restarted(/this machine attested: affirming/);
    await installation.connected(2);
  });

  await step('of two connectors only the proven one carries requests', async () => {
    // At the other one nothing listens where the app should be: a request that went there would fail.
    for (let i = 0; i < 10; i += 1) {
      for (const method of ['GET', 'POST']) {
        const { status, body } = await ask({ origin: drop.slice(0, -1) }, method);
        assert.equal(status, 200, body);
      }
    }
    const allowed = recorded('access-allowed').filter(({ sallyport }) => sallyport?.app?.id === 'drop');
    assert.deepEqual(
      [...new Set(allowed.map(({ sallyport }) => sallyport?.connector?.name))],
      [PROVEN],
      'each decision names the connector it is about',
    );
    const shown = await installation.sallyport('device', 'list', '--config', 'gateway.yaml');
    assert.match(shown.output, /rack-2 +approved .*connector rack-2 +affirming/);
  });

  await step('nobody else proves anything with that machine', async () => {
    const own = readDevice(installation.path('rack-2-state/device.json'));
    const listener = `https://localhost:${installation.ports.connectors}`;
    const attest = async (portal: string, agent: Attesting['agent'], by?: Identity) => {
      const connector = by && { name: CONNECTOR, key: keyOf(by) };
      const { status, reasons } = await attestDevice({
        ...{ device: { ...own, portal }, agent, eventLog: machine.eventLog, now: Date.now },
        ...(connector === undefined ? {} : { connector }),
      });
      return [status, reasons[0]?.code];
    };
    const other = loadIdentity(installation.path('connector-state'));
    assert.ok(other);
    const { ca, key, certificate: cert } = other;
    assert.deepEqual(await attest(listener, outboundAgent({ ca, key, cert }), other), [
      'contraindicated',
      'connector-other',
    ]);
    assert.deepEqual(await attest(installation.portal, portalAgent(installation.ca)), [
      'contraindicated',
      'device-of-connector',
    ]);
    await assert.rejects(attest(listener, outboundAgent({ ca })), { code: 'certificate-missing' });
    const refused = recorded('device-evidence-refused');
    assert.deepEqual(
      refused.map(({ event, sallyport }) => [event.kind, event.code, sallyport?.connector?.name]),
      [
        ['alert', 'connector-other', CONNECTOR],
        ['alert', 'device-of-connector', undefined],
      ],
    );
    assert.equal((await ask()).status, 200, 'it takes nothing away from the machine');
  });

  await step('a renewed certificate is proven before the tunnels change to it', async () => {
    assert.equal((await proven.stop()).code, 0, proven.output);
    const document = readConfig(installation.path('rack-2.yaml'), connectorSchema);
    assert.ok(document);
    const said: string[] = [];
    const say = (_fields: object, message: string): void => void said.push(message);
    let ahead = 0;
    const start = recorded('connector-connected').length;
    const running = startConnector(resolvePaths(document, installation.directory), {
      log: { info: say, warn: say, error: say },
      now: () => Date.now() + ahead,
      random: Math.random,
    });
    installation.atEnd(() => running.close(0));
    await running.ready;
    await until('it attested', () => said.some((text) => /affirming/.test(text)));
    const before = loadIdentity(installation.path('rack-2-state'));
    const first = start + 2;
    await until('both tunnels are up', () => recorded('connector-connected').length === first);
    // Two thirds into the certificate's life: it is renewed once, and time is what it was again.
    ahead = 20 * 3_600_000;
    await until('the tunnels have changed', async () => {
      const { status, body } = await ask();
      assert.equal(status, 200, `${body}\n${said.join('\n')}`);
      if (loadIdentity(installation.path('rack-2-state'))?.certificate !== before?.certificate) ahead = 0;
      return recorded('connector-connected').length >= first + 2;
    });
    assert.equal((await ask()).status, 200);
    assert.equal(recorded('connector-renewed').length, 1);
    await running.close(0);
    proven = connector();
    await proven.said(/this machine attested: affirming/);
  });

  await step(
    'when its machine changes, what is open through it is closed, and an alert names it',
    async () => {
      const closed = once(await open(), 'close');
      const before = Date.now();
      await machine.tpm.extend(4, Buffer.alloc(32, 9));
      await closed;
      t.diagnostic(`closed ${Date.now() - before} ms after the PCR changed`);
      const ended = await until('the end of the stream is recorded', () => recorded('stream-closed').at(-1));
      assert.deepEqual(
        [ended.event.code, ended.sallyport?.connector?.name],
        ['connector-posture-changed', PROVEN],
      );
      const [alert, ...more] = recorded('device-posture-failed').filter(
        ({ event }) => event.code === 'log-mismatch',
      );
      assert.deepEqual(
        [alert?.event.kind, alert?.sallyport?.connector?.name, more.length],
        ['alert', PROVEN, 0],
      );
      const denied = await ask(HTML);
      assert.equal(denied.status, 403);
      assert.match(denied.body, /can only be reached through a connector that has proved its state/);
      const event = recorded('access-denied').at(-1);
      assert.deepEqual(
        [event?.sallyport?.connector?.name, unmetOf(event)],
        [PROVEN, 'connector-posture-mismatch'],
      );
      await proven.said(/contraindicated\. The event log does not lead to the PCRs/);
    },
  );

  await step('after a restart of the machine it carries again', async () => {
    await machine.reboot();
    await proven.said(/affirming[\s\S]*affirming/);
    assert.equal((await ask()).status, 200);
  });

  await step('a revoked machine loses what it carries at once', async () => {
    const closed = once(await open(), 'close');
    const revoked = await installation.sallyport('device', 'revoke', PROVEN, '--config', 'gateway.yaml');
    assert.equal(revoked.code, 0, revoked.output);
    await closed;
    assert.equal((await ask()).status, 403);
    assert.equal((await proven.stop()).code, 0, proven.output);
  });
});

function unmetOf(event: Recorded | undefined): string | undefined {
  return event?.sallyport?.decision?.nearest?.[0]?.unmet[0]?.code;
}

function keyOf({ certificate }: Identity): Buffer {
  const { publicKey } = new X509Certificate(certificate);
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer');
}
