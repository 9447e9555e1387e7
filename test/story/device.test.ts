// A device from enrolment to revocation: what its TPM proves opens an app, and nothing that was copied from it does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Agent, request } from 'undici';
import { attest } from '#connectors/device/attester';
import { readDevice } from '#connectors/device/key-store';
import { encodeEvidence } from '#connectors/wire/evidence';
import { decodeChallengeReply } from '#connectors/wire/evidence-decoder';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { requires } from '../requires.ts';
import { connectStatus, echo } from './device-streams.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { ATTESTATION, MACHINE_NEEDS, StoryMachine } from './machine.ts';
import { type Part, until } from './part.ts';
import { stepsOf } from './steps.ts';
import { Person } from './terminal/person.ts';

const skip = requires(...NEEDS, ...MACHINE_NEEDS);
const TCP = '  - { id: shell, name: Shell, protocol: tcp, connectors: [rack-1] }\n';

test('what a TPM proves opens an app, and nothing that was copied from the machine does', {
  skip,
}, async (t) => {
  const machine = await StoryMachine.switchOn(t);
  const installation = await StoryInstallation.start(t, {
    further: TCP + ATTESTATION,
    prepare: (directory) => machine.prepare(directory),
  });
  const step = stepsOf(t);
  const { portal } = installation;
  const ada = new Person(installation, 'ada');
  const drop = `${installation.originOf('drop')}/`;
  const admin = (...args: string[]) => installation.sallyport('device', ...args, '--config', 'gateway.yaml');
  let agent!: Part;

  await step('an admin permits one device; its token works once', async () => {
    const made = await admin(
      'token',
      '--name',
      'ada-laptop',
      '--owner',
      'ada@example.com',
      '--out',
      'laptop.token',
    );
    assert.equal(made.code, 0, made.output);
    installation.secrets.set('device token', readFileSync(installation.path('laptop.token'), 'utf8').trim());
    const enrolled = await done(
      ada.run('device', 'enrol', ...way('laptop.token', machine.tpm.address, portal)),
    );
    assert.match(enrolled, /Enrolled as ada-laptop.*An admin has to approve it/);
    const other = await machine.sibling('other');
    t.after(() => other.off());
    const ben = new Person(installation, 'ben');
    const again = await ended(ben.run('device', 'enrol', ...way('laptop.token', other.address, portal)), 1);
    assert.match(again, /already used/);
    // Another TPM does not get the name either.
    assert.match(
      (await admin('token', '--name', 'ada-laptop')).output,
      /Another TPM is enrolled under this name/,
    );
  });

  await step('it is known, and counts for nothing before it is approved', async () => {
    assert.match(
      await done(ada.run('device', 'status')),
      /ada-laptop.*\n.*nobody signed in\n.*P-384.*answers/s,
    );
    const result = await ended(ada.run('device', 'attest', '--event-log', machine.eventLog), 1);
    assert.match(result, /device-not-approved/);
    assert.match((await admin('list')).output, /ada-laptop +pending/);
    assert.match((await admin('approve', 'ada-laptop')).output, /ada-laptop is approved/);
  });

  await step(
    'without a baseline it is attested with a warning; learnt and approved, it is well',
    async () => {
      const first = await done(ada.run('device', 'attest', '--event-log', machine.eventLog));
      assert.match(first, /warning[\s\S]*baseline-missing/);
      const { output } = await admin('baseline', 'learn', 'ada-laptop', '--json');
      const { id } = JSON.parse(output) as { id: string };
      assert.match((await admin('baseline')).output, /not approved/);
      assert.match((await admin('baseline', 'approve', id)).output, /approved/);
      assert.match(await done(ada.run('device', 'attest', '--event-log', machine.eventLog)), /affirming/);
    },
  );

  await step('nobody brings as much as an event log without a challenge of the gateway', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ device: 'x'.repeat(100_000) });
    for (const query of ['', '?challenge=', `?challenge=${'A'.repeat(43)}`]) {
      const reply = await ada.visitor.ask(`${portal}/device/attest${query}`, {
        method: 'POST',
        headers,
        body,
      });
      assert.equal(reply.status, 413, query);
    }
  });

  await step('signed in, the agent binds the command line to the machine', async () => {
    assert.equal((await (await ada.login()).ended).code, 0);
    agent = ada.run('device', 'agent', '--event-log', machine.eventLog);
    await agent.said(/bound to this device/);
  });

  await step('a browser that has not shown its device is told how, and is let in once it has', async () => {
    await ada.visitor.visit(drop);
    const denied = await ada.visitor.ask(drop, {
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' },
    });
    assert.equal(denied.status, 403);
    assert.match(denied.body, /Show which device this is/);
    assert.match(denied.body, /sallyport device enrol/);
    const shown = await ada.visitor.visit(`${drop}.sallyport/device?path=/`);
    assert.equal(shown.status, 200, shown.body);
    assert.equal(shown.url, drop);
  });

  await step(
    'a copied cookie opens nothing from another network, and a copied token nothing at all',
    async () => {
      const thief = new Agent({
        localAddress: '127.0.0.2',
        connect: { ca: installation.ca, lookup: localhostAwareLookup },
      });
      installation.atEnd(() => thief.destroy());
      const cookie = ada.visitor.cookieHeader('drop.localhost');
      assert.equal(
        (await ada.visitor.ask(drop, { headers: { cookie } })).status,
        200,
        'from its own network',
      );
      const stolen = await request(drop, { dispatcher: thief, headers: { cookie } });
      assert.equal(stolen.statusCode, 403);
      assert.match(await stolen.body.text(), /come to another network/);
      const kept = JSON.parse(readFileSync(join(ada.home, 'sallyport/credentials.json'), 'utf8')) as {
        token: string;
      };
      installation.secrets.set('token', kept.token);
      const bearer = await connectStatus(installation, { authorization: `Bearer ${kept.token}` });
      assert.equal(bearer, 401);
      const unproven = await connectStatus(installation, {
        authorization: `DPoP ${kept.token}`,
        dpop: 'e30.e30.AA',
      });
      assert.equal(unproven, 401);
      const alerts = installation.events().filter(({ event }) => event.action === 'device-session-refused');
      assert.deepEqual(
        alerts.map(({ event }) => event.code),
        ['proof-missing', 'proof-invalid'],
      );
    },
  );

  await step('evidence that somebody in between carries over is refused, and is an alert', async () => {
    const device = readDevice(join(ada.home, 'sallyport/device.json'));
    const post = async (path: string, message: object) =>
      JSON.parse(
        (
          await ada.visitor.ask(portal + path, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: encodeEvidence(message),
          })
        ).body,
      );
    const { nonce } = decodeChallengeReply(await post('/device/challenge', { device: device.device }));
    const bound = { nonce, eventLog: readFileSync(machine.eventLog), exporter: Buffer.alloc(32, 7) };
    const evidence = { device: device.device, ...(await attest(device.tpm, device.keys, bound)) };
    const path = `/device/attest?challenge=${nonce.toString('base64url')}`;
    const { status, reasons } = await post(path, evidence);
    assert.deepEqual([status, reasons[0].code], ['contraindicated', 'relayed-channel']);
    const again = await post('/device/attest', { ...evidence, eventLog: Buffer.alloc(0) });
    assert.equal(again.reasons[0].code, 'quote-replayed');
    const alerts = installation.events().filter(({ event }) => event.action === 'device-evidence-refused');
    assert.deepEqual(
      alerts.map(({ event }) => event.code),
      ['relayed-channel', 'quote-replayed'],
    );
    // What is not proved to come from the device takes nothing away from it.
    assert.equal((await ada.visitor.ask(drop)).status, 200);
  });

  await step('copied keys are of no use to another TPM', async () => {
    const other = await machine.sibling('thief');
    t.after(() => other.off());
    const home = installation.path('home-thief/sallyport');
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const file = join(home, 'device.json');
    copyFileSync(join(ada.home, 'sallyport/device.json'), file);
    const text = readFileSync(file, 'utf8').replace(machine.tpm.address, other.address);
    installation.write('home-thief/sallyport/device.json', text);
    chmodSync(installation.path('home-thief'), 0o700);
    const thief = new Person(installation, 'thief');
    const said = await ended(thief.run('device', 'attest', '--event-log', machine.eventLog), 1);
    assert.match(said, /does not know this key: it was cleared, or it is another TPM/);
  });

  await step('loose files are refused with what to do', async () => {
    const file = join(ada.home, 'sallyport/device.json');
    chmodSync(file, 0o644);
    assert.match(await ended(ada.run('device', 'status'), 1), /mode 644.*Run: chmod 600/);
    chmodSync(file, 0o600);
  });

  await step('a PCR that changes closes the open WebSocket, and the page says why', async () => {
    const ws = await echo(installation, ada);
    const closed = once(ws, 'close');
    const before = Date.now();
    await machine.tpm.extend(4, Buffer.alloc(32, 9));
    await closed;
    t.diagnostic(`closed ${Date.now() - before} ms after the PCR changed`);
    const denied = await ada.visitor.ask(drop, {
      headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' },
    });
    assert.equal(denied.status, 403);
    assert.match(denied.body, /The event log does not lead to the PCRs that were quoted/);
    const [ended] = await until('the end of the stream is recorded', () => {
      const all = installation.events().filter(({ event }) => event.action === 'stream-closed');
      return all.length > 0 && all;
    });
    assert.equal(ended?.event.code, 'posture-changed');
    const alert = installation.events().find(({ event }) => event.action === 'device-posture-failed');
    assert.equal(alert?.event.code, 'log-mismatch');
  });

  await step('after a restart the machine is well again, for who signs in again', async () => {
    await machine.reboot();
    await agent.said(/affirming[\s\S]*affirming/);
    const denied = await ada.visitor.ask(drop, { headers: { accept: 'text/html' } });
    assert.match(denied.body, /restarted, or was suspended, since you signed in/);
    await ada.visitor.ask(`${portal}/sign-out`, { method: 'POST', headers: { origin: portal } });
    assert.equal((await (await ada.login()).ended).code, 0);
    await agent.said(/bound[\s\S]*bound[\s\S]*bound/);
    const shown = await ada.visitor.visit(`${drop}.sallyport/device?path=/`);
    assert.equal(shown.status, 200, shown.body);
  });

  await step('a revoked device loses what it has open at once', async () => {
    const ws = await echo(installation, ada);
    const closed = once(ws, 'close');
    assert.match((await admin('revoke', 'ada-laptop')).output, /ada-laptop is revoked/);
    await closed;
    assert.equal((await ada.visitor.ask(drop)).status, 403);
    assert.match(await ended(ada.run('device', 'attest', '--event-log', machine.eventLog), 1), /revoked/);
    const changes = new Set(installation.events().map(({ event }) => event.action));
    for (const action of CHANGES) assert.ok(changes.has(action), action);
  });

  await step('the agent stops as told', async () => {
    assert.equal((await agent.stop()).code, 0, agent.output);
  });
});

const CHANGES = [
  'device-token-created',
  'device-enrolled',
  'device-approved',
  'device-revoked',
  'baseline-learnt',
  'baseline-approved',
  'device-attested',
  'device-session-bound',
];

function way(token: string, tpm: string, portal: string): string[] {
  const ca = 'state/development-ca/ca.pem';
  return ['--token-file', token, '--portal', portal, '--ca', ca, '--tpm', tpm];
}

async function ended(part: Part, code: number): Promise<string> {
  const result = await part.ended;
  assert.equal(result.code, code, part.output);
  return part.output;
}

function done(part: Part): Promise<string> {
  return ended(part, 0);
}
