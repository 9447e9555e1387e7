// Signed changes on a running gateway: every way to be wrong is refused with its own reason while requests are decided
// by what was signed before; one that is right is in the log, then in force; and what was tampered with is found.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { callAdmin } from '#bin/admin-client';
import { type Bundle, readChange, writeBundle } from '#gateway/change/bundle';
import { ChangeBed, NEEDS as GIT, REPOSITORY } from '../gateway/change/bed.ts';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { stepsOf } from './steps.ts';

const CHANGES = `changes:
  signers: ./allowed_signers
  threshold: 2
  repository: ${REPOSITORY}
  branch: main
  bundle: ./change.json
`;
/** Support reads no wiki any more. */
const CLOSED = POLICY.replace(', "corp:support"', '');

test('what authorised people signed is in force, and nothing else', {
  skip: requires(...NEEDS, ...GIT),
}, async (t) => {
  let bed!: ChangeBed;
  let ada = '';
  let ben = '';
  const installation = await StoryInstallation.start(t, {
    further: CHANGES,
    prepare: (directory) => {
      bed = new ChangeBed(directory, '.');
      ada = bed.signer('ada');
      ben = bed.signer('ben', '', '-t', 'ecdsa');
      bed.init();
      bed.write('change.json', writeBundle(bed.change([ada, ben])));
    },
  });
  const step = stepsOf(t);
  const wiki = `${installation.originOf('wiki')}/`;
  const person = installation.visitor();
  const reads = async (): Promise<number> => (await person.ask(wiki)).status;
  const recorded = (action: string): ReturnType<typeof installation.events> =>
    installation.events().filter(({ event }) => event.action === action);
  /** As the command sends it, without a process for each. */
  const offer = async (bundle: Bundle): Promise<unknown> =>
    (await callAdmin(installation.path('state'), 'POST', '/v1/changes', writeBundle(bundle))).body['error'];
  const apply = async (bundle: Bundle): Promise<Record<string, unknown>> => {
    installation.write('offered.json', writeBundle(bundle));
    const { output } = await installation.sallyport(
      'change',
      'apply',
      'offered.json',
      '--config',
      'gateway.yaml',
      '--json',
    );
    return JSON.parse(output);
  };
  const first = readChange(bed.read('change.json'));
  const inForce = { id: first.id, sequence: 1 };

  await step('what lay ready and was signed is in force from the start', async () => {
    await person.signIn(wiki, 'ben', 'password');
    assert.equal(await reads(), 200);
    assert.equal(recorded('change-accepted').length, 1);
  });

  await step('each change that is wrong is refused for its own reason, and nothing changes', async () => {
    bed.commit(CLOSED);
    const keys = [ada, ben];
    const good = bed.change(keys, inForce);
    const stranger = bed.key('stranger');
    const stating = (more: object): Bundle =>
      bed.change(keys, inForce, (one) => ({
        ...one,
        statement: JSON.stringify({ ...JSON.parse(one.statement), ...more }),
      }));
    const spoilt = { ...good.contents, policy: `${CLOSED}# more\n` };
    const forGit = keys.map((key) => bed.sign(key, good.statement, 'git'));
    const wrong: Readonly<Record<string, Bundle>> = {
      unsigned: bed.change([], inForce),
      'unknown-signer': bed.change([stranger], inForce),
      'foreign-signed': { ...good, signatures: forGit },
      'too-few-signatures': bed.change([ada, ada], inForce),
      tampered: { ...good, contents: spoilt },
      'wrong-gateway': stating({ gateway: 'staging.localhost' }),
      'wrong-repository': stating({ repository: 'git@git.example.com:eve/access.git' }),
      'wrong-branch': stating({ branch: 'try' }),
      'not-of-commit': stating({ commit: '0'.repeat(40) }),
      replayed: first.bundle,
      'wrong-predecessor': stating({ previous: '0'.repeat(64) }),
      incomplete: { ...stating({ files: {} }), contents: {} },
      malformed: { ...good, statement: '{}' },
    };
    const told: string[] = [];
    for (const [reason, bundle] of Object.entries(wrong)) {
      assert.equal(await offer(bundle), reason);
      assert.equal(await reads(), 200, `${reason}: the person reads on`);
      told.push(reason);
    }
    bed.commit('rules: [');
    assert.equal((await apply(bed.change(keys, inForce)))['reason'], 'policy-invalid');
    bed.commit(CLOSED);
    assert.equal(await reads(), 200);
    const refused = recorded('change-refused').filter(
      ({ message }) => !message.includes('policy.yaml is not'),
    );
    assert.deepEqual(
      refused.map(({ event }) => event.code),
      [...told, 'policy-invalid'],
    );
    assert.equal(recorded('policy-loaded').length, 1);
  });

  await step('an edit on the disk that nobody signed is told of, and has no effect', async () => {
    const before = recorded('change-refused').length;
    installation.write('policy.yaml', `${CLOSED}# by hand\n`);
    installation.gateway.signal('SIGHUP');
    await until('the edit is noticed', () => recorded('change-refused').length > before);
    const [noticed] = recorded('change-refused').slice(before);
    assert.equal(noticed?.event.code, 'unsigned');
    assert.match(noticed?.message ?? '', /policy\.yaml is not as change 1 has it/);
    assert.equal(await reads(), 200);
    installation.write('policy.yaml', CLOSED);
  });

  let second: Bundle | undefined;
  await step('one that is right is in the log first, and then in force', async () => {
    second = bed.change([ada, ben], inForce);
    const answer = await apply(second);
    assert.deepEqual([answer['ok'], answer['sequence'], answer['restart']], [true, 2, false]);
    assert.equal(await reads(), 403, 'support reads no more');
    const order = installation.events().map(({ event }) => event.action);
    const accepted = order.lastIndexOf('change-accepted');
    const loaded = order.lastIndexOf('policy-loaded');
    assert.ok(
      accepted !== -1 && accepted < loaded && loaded < order.lastIndexOf('access-denied'),
      String(order),
    );
    assert.deepEqual(JSON.parse(bed.read('change.json')), JSON.parse(writeBundle(second)));
  });

  await step('the one before does not come back', async () => {
    assert.equal((await apply(first.bundle))['reason'], 'rolled-back');
    const before = recorded('change-refused').length;
    installation.write('change.json', writeBundle(first.bundle));
    await until('the file is noticed', () => recorded('change-refused').length > before);
    assert.equal(recorded('change-refused').at(-1)?.event.code, 'rolled-back');
    assert.equal(await reads(), 403);
    installation.write('change.json', writeBundle(second as Bundle));
  });

  await step('the history is in the log, and the log fits', async () => {
    const { output } = await installation.sallyport('change', 'log', '--config', 'gateway.yaml', '--json');
    const entries = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const accepted = entries.filter((one) => one.accepted);
    assert.deepEqual(
      accepted.map((one) => [one.sequence, one.signers]),
      [
        [1, ['ada@example.com', 'ben@example.com']],
        [2, ['ada@example.com', 'ben@example.com']],
      ],
    );
    assert.equal(entries.length - accepted.length, recorded('change-refused').length);
    const audit = await installation.sallyport('audit', 'verify', '--state', 'state');
    assert.equal(audit.code, 0, audit.output);
    assert.match(audit.output, /the signed change/);
  });

  await step('the next start has the same in force', async () => {
    await installation.gateway.stop();
    await installation.startGateway();
    await installation.connected();
    assert.equal(await reads(), 403);
    assert.equal(recorded('change-accepted').length, 2);
  });

  await step('a configuration that nobody signed does not start, with or without its `changes`', async () => {
    await installation.gateway.stop();
    const good = bed.read('gateway.yaml');
    for (const edited of [
      good.replace('threshold: 2', 'threshold: 1'),
      good.replace(CHANGES, ''),
      `${good}# more\n`,
    ]) {
      installation.write('gateway.yaml', edited);
      const { code, output } = await installation.sallyport('gateway', '--config', 'gateway.yaml');
      assert.equal(code, 1);
      assert.match(output, /not started\. this change carries no signature: .*gateway\.yaml/);
    }
    installation.write('gateway.yaml', good);
  });

  await step('a change that was tampered with where it is kept does not start either', async () => {
    const kept = installation.path('state/changes/current.json');
    const good = readFileSync(kept, 'utf8');
    for (const spoilt of [
      good.replace('corp:engineering', 'corp:everybody'),
      writeBundle(first.bundle),
      undefined,
    ]) {
      if (spoilt === undefined) rmSync(kept);
      else writeFileSync(kept, spoilt);
      const { code, output } = await installation.sallyport('gateway', '--config', 'gateway.yaml');
      assert.equal(code, 1, output);
      assert.match(output, /not started\..*current\.json/);
    }
    writeFileSync(kept, good, { mode: 0o600 });
  });

  await step(
    'a gateway without a past takes what lies ready if it is good, and else says why not',
    async () => {
      const fresh = bed.read('gateway.yaml').replace('state: ./state', 'state: ./fresh');
      installation.write('fresh.yaml', fresh);
      const start = async (text: string | undefined): Promise<string> => {
        rmSync(installation.path('fresh'), { recursive: true, force: true });
        if (text === undefined) rmSync(installation.path('change.json'));
        else installation.write('change.json', text);
        const { code, output } = await installation.sallyport('gateway', '--config', 'fresh.yaml');
        assert.equal(code, 1, output);
        return output;
      };
      assert.match(await start(undefined), /carries no signature: there is no .*change\.json/);
      assert.match(await start('{'), /not in the form this version reads: it is not JSON/);
      assert.match(
        await start(writeBundle({ ...(second as Bundle), signatures: [] })),
        /carries no signature/,
      );
      assert.match(await start(writeBundle(second as Bundle)), /fresh\.yaml is not as change 2 has it/);
      installation.write('change.json', writeBundle(second as Bundle));
      await installation.startGateway();
      // The connector is waiting out its pause by now, which grows to half a minute.
      await installation.connector.stop();
      installation.startConnector();
      await installation.connected();
      assert.equal(await reads(), 403);
    },
  );
});
