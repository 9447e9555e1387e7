// The authorities of a real gateway, by the commands an admin types: a service that enrols, asks, renews and is revoked,
// an intermediate that is replaced while requests go on, and an installation of an earlier version that goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Agent, fetch } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { earlierAuthority } from '../gateway/pki/earlier-authority.ts';
import { requires } from '../requires.ts';
import { NEEDS, type Outcome, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

const BILLING = 'spiffe://sallyport.internal/service/billing';
const RULES = `version: 1
zone: UTC
apps: [wiki, vault, ledger, drop, mirror, spare]
rules:
  - { id: billing-wiki, allow: wiki, who: "service:${BILLING}", paths: ["/**"], methods: [GET] }
`;
const CONFIG = ['--config', 'gateway.yaml'] as const;

test('authorities are looked after by commands, and nothing stops for it', {
  skip: requires(...NEEDS, 'openssl'),
}, async (t) => {
  const step = stepsOf(t);
  const [port = 0] = await freePorts(1);
  let earlier = '';
  const installation = await StoryInstallation.start(t, {
    further: `services: { listen: "127.0.0.1:${port}" }\n`,
    prepare: (directory) => {
      writeFileSync(join(directory, 'policy.yaml'), RULES);
    },
  });
  const at = (name: string): string => installation.path(name);
  const gateway = `https://localhost:${installation.ports.connectors}`;
  const ca = (...args: string[]): Promise<Outcome> => installation.sallyport('ca', ...args, ...CONFIG);
  const good = async (...args: string[]): Promise<string> => {
    const { code, output } = await ca(...args);
    assert.equal(code, 0, output);
    return output;
  };
  const actions = (): string[] => installation.events().map(({ event }) => event.action);
  const agents: Agent[] = [];
  installation.atEnd(() => Promise.all(agents.map((agent) => agent.destroy())));
  const agent = (directory: string): Agent => {
    const identity = readFileSync(at(`${directory}/identity.pem`), 'utf8');
    const made = new Agent({
      connect: { ca: installation.ca, lookup: localhostAwareLookup, cert: identity, key: identity },
    });
    agents.push(made);
    return made;
  };
  const ask = async (dispatcher: Agent): Promise<{ status: number; body: string }> => {
    const reply = await fetch(`https://wiki.localhost:${port}/`, { dispatcher });
    return { status: reply.status, body: await reply.text() };
  };
  const service = (...args: string[]): Promise<Outcome> =>
    installation.sallyport('service', ...args, '--gateway', gateway);
  const serialOf = (directory: string): string =>
    new X509Certificate(readFileSync(at(`${directory}/identity.pem`))).serialNumber;

  await step('they are shown', async () => {
    const output = await good('show');
    assert.match(output, /connector-ca\n {2}root .* its key is here/);
    assert.match(output, /intermediate .*key in: file/);
    assert.match(output, /development-ca/);
  });

  await step('a service enrols with a token, once, and asks by its certificate', async () => {
    await good('issue-service', '--service', 'billing', '--out', 'billing.token');
    const enrolled = await service('enrol', '--token-file', 'billing.token', '--dir', 'billing');
    assert.equal(enrolled.code, 0, enrolled.output);
    const again = await service('enrol', '--token-file', 'billing.token', '--dir', 'second');
    assert.equal(again.code, 1);
    assert.match(again.output, /already used/);
    assert.equal((await ask(agent('billing'))).status, 200);
    const issued = installation.events().find(({ event }) => event.action === 'certificate-issued');
    assert.equal(issued?.event.code, 'enrolment');
  });

  await step('what it was given is what openssl finds good', async () => {
    await good('export', '--out', 'chain.pem');
    const words = ['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'state/connector-ca/ca.pem'];
    const files = ['-untrusted', 'billing/identity.pem', 'billing/identity.pem'];
    assert.match(
      execFileSync('openssl', [...words, ...files], { cwd: installation.directory, encoding: 'utf8' }),
      /OK/,
    );
  });

  await step('it renews with itself, also below an intermediate that is replaced meanwhile', async () => {
    const before = agent('billing');
    const serial = serialOf('billing');
    let refused = 0;
    let asked = 0;
    let going = true;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        // Each on a connection of its own: the handshake is what might fail.
        while (going) {
          const one = agent('billing');
          asked += 1;
          if ((await ask(one)).status !== 200) refused += 1;
          await one.destroy();
        }
      }),
    );
    for (let count = 0; count < 2; count += 1) assert.match(await good('rotate'), /issues with/);
    await good('rotate', '--authority', 'development-ca');
    const renewed = await service('renew', '--dir', 'billing', '--force');
    assert.equal(renewed.code, 0, renewed.output);
    going = false;
    await load;
    t.diagnostic(`rotation: ${asked} requests while three intermediates changed, ${refused} failed`);
    assert.equal(refused, 0);
    assert.notEqual(serialOf('billing'), serial);
    assert.equal((await ask(before)).status, 200, 'the certificate before is still good');
    assert.equal(actions().filter((action) => action === 'authority-changed').length, 6);
  });

  await step(
    'a revoked certificate is refused, also on a connection that is open, and is on the list',
    async () => {
      const open = agent('billing');
      assert.equal((await ask(open)).status, 200);
      const serial = serialOf('billing');
      assert.match(await good('revoke', '--serial', serial, '--reason', 'key lost'), /service\/billing/);
      for (const one of [open, agent('billing')]) {
        const { status, body } = await ask(one);
        assert.equal(status, 401);
        assert.match(body, /certificate-revoked/);
      }
      const renewal = await service('renew', '--dir', 'billing', '--force');
      assert.equal(renewal.code, 1);
      assert.match(renewal.output, /certificate-revoked/);
      const unknown = await ca('revoke', '--serial', 'ABCDEF');
      assert.equal(unknown.code, 1);
      assert.match(unknown.output, /no certificate with the serial number/);
      const none = await ca('revoke', '--serial', 'zz');
      assert.equal(none.code, 1);
      assert.match(none.output, /^sallyport ca: serial: a serial number is 2 to 40 hex digits[^\n]*\n$/);
      await good('crl', '--out', 'crl.pem');
      assert.equal(
        readFileSync(at('crl.pem'), 'utf8'),
        readFileSync(at('state/connector-ca/crl.pem'), 'utf8'),
      );
      const dispatcher = installation.dispatcher(readFileSync(at('state/connector-ca/ca.pem'), 'utf8'));
      const published = await (await fetch(`${gateway}/v1/crl`, { dispatcher })).text();
      assert.equal(published, readFileSync(at('crl.pem'), 'utf8'));
      writeFileSync(at('all.pem'), readFileSync(at('state/connector-ca/ca.pem'), 'utf8') + published);
      const words = ['verify', '-crl_check_all', '-CAfile', 'all.pem', '-untrusted', 'billing/identity.pem'];
      assert.throws(
        () =>
          execFileSync('openssl', [...words, 'billing/identity.pem'], {
            cwd: installation.directory,
            stdio: 'pipe',
          }),
        /certificate revoked/,
      );
    },
  );

  await step('the connector never noticed, and what was typed is in the log of changes', async () => {
    assert.equal(await installation.metric('sallyport_connectors'), 1);
    const { code, output } = await installation.sallyport('audit', 'verify', '--state', 'state');
    assert.equal(code, 0, output);
  });

  await step(
    'a connector whose certificate is revoked loses its tunnel, and is told what to do',
    async () => {
      const serial = serialOf('connector-state');
      assert.match(await good('revoke', '--serial', serial, '--reason', 'machine lost'), /rack-1/);
      const ended = await until('its tunnel is cut', () =>
        installation
          .events()
          .find(
            ({ event }) => event.action === 'connector-disconnected' && event.code === 'certificate-revoked',
          ),
      );
      assert.ok(ended);
      await until('it says what to do', () =>
        /not admitted[^\n]*remove identity\.pem from its state directory[^\n]*--token-file/.test(
          installation.connector.output,
        ),
      );
      await installation.connector.stop();
      await installation.token('again.token');
      rmSync(at('connector-state/identity.pem'));
      installation.startConnector('--token-file', 'again.token');
      await installation.connected(1);
    },
  );

  await step('an installation of an earlier version goes on with what it has', async () => {
    await installation.connector.stop();
    await installation.gateway.stop();
    const former = await earlierAuthority(at('state/former-ca'), Date.now());
    earlier = former.certificate;
    execFileSync('sh', ['-c', 'rm -rf state/connector-ca && mv state/former-ca state/connector-ca'], {
      cwd: installation.directory,
    });
    await installation.startGateway();
    assert.equal(existsSync(at('state/connector-ca/ca.key')), false);
    const dispatcher = installation.dispatcher(earlier);
    const shown = await (await fetch(`${gateway}/v1/ca`, { dispatcher })).text();
    assert.equal(shown, readFileSync(at('state/connector-ca/ca.pem'), 'utf8') + earlier);
  });
});
