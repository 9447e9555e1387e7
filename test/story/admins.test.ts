// Admins at a running gateway, with the commands they type: each may do what the roles say and nothing else, an account
// for emergencies is opened once, and all of it is in the transparency log.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { ChangeBed, publicKey } from '../gateway/change/bed.ts';
import { requires } from '../requires.ts';
import { CONNECTOR } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { stepsOf } from './steps.ts';

const ADMIN = `admin:
  signers: ./admins
  socket: ./admin.sock
  roles:
    viewer: [cleo]
    operator: [ada]
    ca-admin: [ben]
    auditor: [dan]
  breakGlass: { accounts: [glass], lasts: 5m }
`;
const NAMES = ['ada', 'ben', 'cleo', 'dan', 'glass', 'stranger'] as const;

test('admins do what their roles say, and all of it is recorded', {
  skip: requires(...NEEDS, 'ssh-keygen'),
}, async (t) => {
  const KEY = 'SALLYPORT_ADMIN_KEY';
  t.after(() => {
    delete process.env[KEY];
  });
  const keys = new Map<string, string>();
  const installation = await StoryInstallation.start(t, {
    further: ADMIN,
    prepare: (directory) => {
      const bed = new ChangeBed(directory, '.');
      for (const name of NAMES) keys.set(name, bed.key(name));
      const listed = NAMES.filter((name) => name !== 'stranger');
      bed.write('admins', listed.map((name) => `${name} ${publicKey(keys.get(name) ?? '')}\n`).join(''));
      // The token of the story's connector is for who looks after certificates.
      process.env[KEY] = keys.get('ben');
    },
  });
  const step = stepsOf(t);
  const as = async (
    who: string,
    ...args: readonly string[]
  ): Promise<{ code: number | null; output: string }> => {
    const key = keys.get(who);
    if (key === undefined) delete process.env[KEY];
    else process.env[KEY] = key;
    return installation.sallyport(...args, '--config', 'gateway.yaml');
  };
  const actions = (): string[] =>
    installation
      .events()
      .filter(({ event }) => event.action === 'admin-action')
      .map(({ user, event, sallyport }) =>
        `${user?.id} ${(sallyport as { admin: { verdict: string } }).admin.verdict} ${event.code ?? ''}`.trim(),
      );

  await step('the socket is open to all, and answers only what is signed', async () => {
    assert.equal(statSync(installation.path('admin.sock')).mode & 0o777, 0o666);
    const nobody = await as('nobody', 'status');
    assert.equal(nobody.code, 1);
    assert.match(nobody.output, /set SALLYPORT_ADMIN_KEY to your SSH key/);
    const stranger = await as('stranger', 'status');
    assert.equal(stranger.code, 1);
    assert.match(stranger.output, /the key is not listed/);
  });

  await step('each role does its own, and is told what the rest would take', async () => {
    const wiki = `${installation.originOf('wiki')}/`;
    const person = installation.visitor();
    await person.signIn(wiki, 'ada', 'password');
    assert.match((await as('cleo', 'status')).output, /policy +[0-9a-f]{64}/);
    const curious = await as('cleo', 'sessions');
    assert.equal(curious.code, 1);
    assert.match(curious.output, /none of your roles may do that; it takes operator or auditor/);
    assert.match((await as('dan', 'sessions')).output, /ada@example\.com/);
    assert.equal((await as('dan', 'revoke', 'person', 'ada@example.com')).code, 1);
    assert.equal((await person.ask(wiki)).status, 200);
    assert.equal((await as('ada', 'revoke', 'person', 'ada@example.com')).code, 0);
    assert.notEqual((await person.ask(wiki)).status, 200);
    const token = ['token', 'create', '--connector', CONNECTOR, '--out'];
    assert.equal((await as('ada', ...token, 'one.token')).code, 1);
    assert.equal((await as('ben', ...token, 'two.token')).code, 0);
  });

  await step(
    'an account for emergencies does nothing, then everything, then nothing, and each is told',
    async () => {
      const before = actions().length;
      assert.match((await as('glass', 'sessions')).output, /the account is sealed/);
      assert.equal((await as('ada', 'admin', 'break-glass', '--reason', 'curious')).code, 1);
      const opened = await as('glass', 'admin', 'break-glass', '--reason', 'nobody can be reached');
      assert.equal(opened.code, 0, opened.output);
      assert.equal((await as('glass', 'sessions')).code, 0);
      assert.match(
        (await as('glass', 'admin', 'break-glass', '--reason', 'again')).output,
        /closed for good/,
      );
      assert.deepEqual(actions().slice(before), [
        'glass refused break-glass-sealed',
        'ada refused role-missing',
        'glass allowed',
        'glass allowed',
        'glass refused break-glass-spent',
      ]);
      const opening = installation.events().find(({ event }) => event.action === 'break-glass-opened');
      assert.match(opening?.message ?? '', /glass was opened: nobody can be reached/);
    },
  );

  await step('what was done and what was refused is in the log, and the log fits', async () => {
    assert.ok(actions().some((one) => /^SHA256:\S+ refused signer-unknown$/.test(one)));
    assert.ok(actions().includes('dan allowed'), 'who only reads is recorded too');
    const audit = await as('cleo', 'audit', 'verify');
    assert.equal(audit.code, 0, audit.output);
    assert.match(audit.output, /the running policy/);
  });
});
