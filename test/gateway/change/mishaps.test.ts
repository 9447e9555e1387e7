// Taking up changes where something else went wrong before: what lies at their place, who was away, what the next start misses.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { run as check } from '#bin/commands/change/check';
import { type Bundle, readChange, writeBundle } from '#gateway/change/bundle';
import type { ChangeRefusal } from '#gateway/change/reasons';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { ChangeBed, NEEDS, POLICY, publicKey } from './bed.ts';
import { BY, places, takingGateway } from './taking-gateway.ts';

suite('taking up changes after a mishap', { skip: requires(...NEEDS) }, () => {
  const place = places();

  test('what lies there and is no file keeps nobody waiting, and what could not be recorded is looked at again', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const key = own.signer('ada');
    own.begin();
    const one = own.change([key]);
    const bundle = own.write('repository/change.json', writeBundle(one));
    const { open, events, outbox } = takingGateway(own, place());
    const changes = await open();
    after(() => changes.close());
    for (const name of ['change.json', 'allowed_signers']) {
      rmSync(own.path(`repository/${name}`));
      execFileSync('mkfifo', [own.path(`repository/${name}`)]);
    }
    changes.watch(async () => undefined);
    const told = (): string[] =>
      events.flatMap((event) => (event.kind === 'change-refused' ? [event.message] : []));
    await until('it is told', () => told().length > 0);
    assert.match(told().join(), /change\.json: it is no regular file/);
    outbox.full = true;
    rmSync(bundle);
    rmSync(own.path('repository/allowed_signers'));
    own.git('checkout', '-q', 'allowed_signers');
    own.commit(`${POLICY}# later\n`);
    const { id } = readChange(writeBundle(one));
    writeFileSync(bundle, writeBundle(own.change([key], { id, sequence: 1 })));
    await until('it cannot be recorded', () => outbox.refused > 0);
    outbox.full = false;
    await until('it is taken up', () => changes.current?.sequence === 2);
  });

  test('a worker that was away while the signers were replaced, twice, takes up what came since', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const keys = [own.signer('ada'), own.key('ben'), own.key('cleo')];
    own.begin();
    let change = readChange(writeBundle(own.change(keys.slice(0, 1))));
    own.write('repository/change.json', writeBundle(change.bundle));
    const state = place();
    const workers = [1, 2].map((number) =>
      takingGateway(own, join(state, `worker-${number}`), undefined, {
        worker: { of: own.config.config.name },
      }),
    );
    const [first, second] = await Promise.all(workers.map(({ open }) => open()));
    for (const [index, name] of ['ben', 'cleo', 'cleo'].entries()) {
      own.write('repository/allowed_signers', `${name}@example.com ${publicKey(own.path(`keys/${name}`))}\n`);
      own.commit(`${POLICY}# ${index}\n`);
      const { id } = change;
      change = readChange(writeBundle(own.change([keys[index] ?? ''], { id, sequence: index + 1 })));
      await first?.offer(writeBundle(change.bundle), BY);
    }
    assert.equal((await second?.offer(writeBundle(change.bundle), BY))?.sequence, 4);
    assert.equal(second?.policy, first?.policy);
    const told = workers[1]?.events.flatMap((one) =>
      one.kind === 'change-accepted' ? [`${one.change.sequence} ${one.by.kind}`] : [one.kind],
    );
    assert.deepEqual(told, ['1 gateway', '2 gateway', '3 gateway', '4 operator']);
  });

  test('what the next start would not take is refused now', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const key = own.signer('ada', 'namespaces="sallyport-change"');
    own.begin();
    const one = own.change([key]);
    own.write('repository/change.json', writeBundle(one));
    const { open, events } = takingGateway(own, place());
    const changes = await open();
    const { id } = readChange(writeBundle(one));
    const begun = own.read('repository/gateway.yaml');
    const list = own.read('repository/allowed_signers');
    const offered = async (
      text: string,
      signers: string,
      admins: string,
      leaveOut?: string,
    ): Promise<string> => {
      own.write('repository/gateway.yaml', text);
      own.write('repository/allowed_signers', signers);
      own.write('repository/admins', admins);
      own.write('repository/maker.pem', 'one\n');
      own.git('add', '.');
      own.git('commit', '-q', '--allow-empty', '-m', 'another');
      const without = (bundle: Bundle): Bundle => {
        if (leaveOut === undefined) return bundle;
        const { [leaveOut]: _, ...contents } = bundle.contents;
        const statement = JSON.parse(bundle.statement);
        delete statement.files[leaveOut];
        return { ...bundle, contents, statement: JSON.stringify(statement) };
      };
      const change = own.change([key], { id, sequence: 1 }, without);
      return changes.offer(writeBundle(change), BY).then(
        () => 'taken',
        ({ code, detail }: ChangeRefusal) => `${code}: ${detail}`,
      );
    };
    const key1 = list.trim().split(' ').slice(-2).join(' ');
    const admin = `${begun}admin: { signers: ./admins, roles: { operator: [ada, ben] } }\n`;
    const files = begun.replace('bundle:', 'files: [./maker.pem]\n  bundle:');
    const none = '1 people must sign, and it lists 0 who can';
    assert.deepEqual(
      [
        await offered(begun, list.replace('sallyport-change', 'git'), ''),
        await offered(begun, list.replace('namespaces=', 'valid-before="20260303Z",namespaces='), ''),
        await offered(admin, list, `ada ${key1}\n`),
        await offered(admin, list, `ada namespaces="git" ${key1}\n`),
        await offered(files, list, '', 'files/maker.pem'),
        await offered(files, list, ''),
      ],
      [
        `signers-invalid: ${none}`,
        `signers-invalid: ${none}`,
        'signers-invalid: admins has no key of ben, whom configuration/gateway names',
        'signers-invalid: it lists no admin who can sign',
        'incomplete: files/maker.pem',
        'taken',
      ],
    );
    assert.equal(events.filter(({ kind }) => kind === 'change-refused').length, 5);
    own.write('repository/policy.yaml', 'version: 1\n');
    own.git('commit', '-q', '-a', '-m', 'no policy');
    const bad = own.write('bad.json', writeBundle(own.change([key])));
    assert.equal(
      await check([bad, '--config', own.config.file]),
      1,
      'the command says what the gateway says',
    );
  });
});
