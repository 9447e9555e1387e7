// Documents that are wrong: a gateway does not start on them, and one that runs keeps what it has. What is wrong is
// said with its place, and recorded where there is a record to write to.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

const BROKEN: readonly (readonly [string, string, RegExp])[] = [
  ['no YAML', 'rules: [', /policy\.yaml:\d+:\d+/],
  ['an unknown key', POLICY.replace('zone:', 'zome:'), /policy\.yaml:2:1.*zome/],
  ['an unknown group', POLICY.replace('who: finance', 'who: finanze'), /finanze/],
  ['an unknown app', POLICY.replace('allow: ledger', 'allow: leger'), /leger/],
  [
    'a test that fails',
    `${POLICY}tests:\n  - { name: wrong, groups: "corp:finance", app: wiki, method: GET, path: /, at: "2026-03-04T10:00[UTC]", expect: allow }\n`,
    /wrong/,
  ],
  ['nothing', '', /./],
];

test('documents that are wrong', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { nginx } = installation;
  const step = stepsOf(t);
  const ben = installation.visitor();
  const wiki = `${installation.originOf('wiki')}/`;
  await ben.signIn(wiki, 'ben', 'password');

  await step('whoever starts it as root is told', () => {
    assert.equal(/runs as root/.test(installation.gateway.output), process.getuid?.() === 0);
  });

  await step('a policy that is wrong leaves the last good one in force, and is recorded', async () => {
    for (const [what, text, problem] of BROKEN) {
      const before = installation.events().length;
      installation.write('policy.yaml', text);
      installation.gateway.signal('SIGHUP');
      await until(`${what} is rejected`, () =>
        installation
          .events()
          .slice(before)
          .find((one) => one.event.action === 'policy-rejected' && problem.test(JSON.stringify(one))),
      );
      assert.equal((await ben.ask(wiki)).status, 200, what);
      assert.equal((await ben.ask(wiki, { method: 'POST' })).status, 403, what);
    }
  });

  await step('a good one is taken up without a restart, and open to the next request', async () => {
    installation.write('policy.yaml', POLICY.replace('methods: [GET, HEAD]', 'methods: [GET, HEAD, POST]'));
    await until(
      'the new policy is in force',
      async () => (await ben.ask(wiki, { method: 'POST' })).status === 405,
    );
    const loaded = installation.events().findLast(({ event }) => event.action === 'policy-loaded');
    assert.match(loaded?.message ?? '', /is in force/);
  });

  await step('a policy that closes an app closes it', async () => {
    installation.write('policy.yaml', POLICY.replace('corp:support', 'corp:nobody'));
    installation.gateway.signal('SIGHUP');
    await until('the door is closed', async () => (await ben.ask(`${wiki}closed`)).status === 403);
    const reached = nginx.log().length;
    assert.equal((await ben.ask(`${wiki}again`)).status, 403);
    assert.equal(nginx.log().length, reached);
  });

  await step('a gateway does not start on a document that is wrong, and says where', async () => {
    await installation.gateway.stop();
    const good = readFileSync(installation.path('gateway.yaml'), 'utf8');
    const wrong: readonly (readonly [string, RegExp])[] = [
      [good.replace('portal:', 'protal:'), /gateway\.yaml:\d+:\d+.*protal.*portal/s],
      [good.replace('host: wiki.localhost', 'host: https://wiki'), /gateway\.yaml:\d+:\d+.*host/s],
      [good.replace('{ file: ./client-secret }', 'plain-text'), /gateway\.yaml:\d+:\d+/],
      [good.replace('host: vault.localhost', 'host: wiki.localhost'), /twice/],
      [
        good.replace('127.0.0.1:9', '0.0.0.0:9').replace(/health: 127\.0\.0\.1/, 'health: 0.0.0.0'),
        /loopback/,
      ],
    ];
    for (const [text, problem] of wrong) {
      installation.write('wrong.yaml', text);
      const { code, output } = await installation.sallyport('gateway', '--config', 'wrong.yaml');
      assert.equal(code, 2, output);
      assert.match(output.replaceAll('wrong.yaml', 'gateway.yaml'), problem);
      assert.doesNotMatch(output, /plain-text/, 'what may be a secret is not repeated');
    }
    const { code } = await installation.sallyport('gateway', '--config', 'wrong.yaml', '--check');
    assert.equal(code, 2, 'nor does the check take it');
  });

  await step('nor on a policy that is wrong: there is no last good one across a start', async () => {
    for (const [what, text, problem] of BROKEN) {
      installation.write('policy.yaml', text);
      const { code, output } = await installation.sallyport('gateway', '--config', 'gateway.yaml');
      assert.notEqual(code, 0, what);
      assert.match(output, problem, what);
      assert.doesNotMatch(output, /ready/);
    }
  });

  await step('nor when others can read its secrets', async () => {
    installation.write('policy.yaml', POLICY);
    for (const name of [
      'state',
      'state/connector-ca/root.key',
      'state/connector-ca/passphrase',
      'state/outbox',
    ]) {
      const mode = name.includes('/connector-ca/') ? 0o600 : 0o700;
      chmodSync(installation.path(name), mode | 0o044);
      const { code, output } = await installation.sallyport('gateway', '--config', 'gateway.yaml');
      assert.equal(code, 1, output);
      assert.match(output, /chmod/, 'it says what to do');
      chmodSync(installation.path(name), mode);
    }
  });

  await step('with good ones it starts again, and people are still signed in', async () => {
    await installation.startGateway();
    // The connector is waiting out its pause by now, which grows to half a minute.
    await installation.connector.stop();
    installation.startConnector();
    await installation.connected();
    assert.equal((await ben.ask(wiki)).status, 200);
  });
});
