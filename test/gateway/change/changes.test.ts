// Taking up changes: one after the other, each in the log before it has an effect, and none twice, also across a crash;
// and bundles with random mistakes, none of which is taken.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import fc from 'fast-check';
import { run as apply } from '#bin/commands/change/apply';
import { run as check } from '#bin/commands/change/check';
import { AcceptedChanges, KeptChangeError } from '#gateway/change/accepted';
import { type Bundle, readChange, writeBundle } from '#gateway/change/bundle';
import { Changes } from '#gateway/change/changes';
import { termsOf } from '#gateway/change/governed';
import { judge } from '#gateway/change/judge';
import { ChangeRefusal } from '#gateway/change/reasons';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { readSshSignature } from '#gateway/change/sshsig';
import type { GatewayConfig } from '#gateway/config';
import type { SallyportEvent } from '#siem/event';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { ChangeBed, NEEDS, POLICY, publicKey } from './bed.ts';

const NOW = Date.UTC(2026, 2, 4);
const BY = { kind: 'operator', id: 'ada' } as const;

suite('taking up changes', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());
  const ada = bed.signer('ada');
  bed.begin();
  const first = readChange(writeBundle(bed.change([ada])));
  bed.write('repository/change.json', writeBundle(first.bundle));
  const { file, config } = bed.config;

  /** A gateway's changes in a state of their own; what it records, and whether it can. */
  function gateway(state: string, logged?: string, from: ChangeBed = bed, more: Partial<GatewayConfig> = {}) {
    const { file, config } = from.config;
    const events: SallyportEvent[] = [];
    const outbox = { full: false, refused: 0 };
    const recorder = {
      record: async (event: SallyportEvent) => {
        if (outbox.full) {
          outbox.refused += 1;
          throw new Error('the outbox is full');
        }
        events.push(event);
        return '';
      },
    };
    const configuration = { file, text: readFileSync(file, 'utf8') };
    const open = () =>
      Changes.open({
        ...{ config: { ...config, ...more, state }, configuration, now: () => NOW },
        accepted: AcceptedChanges.open(state, logged),
        recorder: recorder as never,
      });
    return { events, outbox, open };
  }
  const places: string[] = [];
  const place = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'sallyport-changes-'));
    places.push(made);
    return made;
  };
  after(() => {
    for (const one of places) rmSync(one, { recursive: true, force: true });
  });
  const next = (): string => writeBundle(bed.change([ada], { id: first.id, sequence: 1 }));

  test('fifty copies of one change at once are taken once', async () => {
    const { events, open } = gateway(place());
    const changes = await open();
    const text = next();
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => changes.offer(text, BY)));
    const refused = outcomes.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as ChangeRefusal).code] : [],
    );
    assert.deepEqual([...new Set(refused)], ['replayed']);
    assert.equal(refused.length, 49);
    assert.equal(events.filter(({ kind }) => kind === 'change-accepted').length, 2);
    assert.equal(events.filter(({ kind }) => kind === 'change-refused').length, 49);
  });

  test('what cannot be logged has no effect, and can be taken later', async () => {
    const { outbox, open } = gateway(place());
    const changes = await open();
    const adopted: string[] = [];
    changes.watch(async () => adopted.push(changes.policy));
    const text = next();
    outbox.full = true;
    await assert.rejects(changes.offer(text, BY), /the outbox is full/);
    assert.equal(changes.current?.sequence, 1);
    assert.deepEqual(adopted, []);
    outbox.full = false;
    assert.equal((await changes.offer(text, BY)).sequence, 2);
    assert.deepEqual(adopted, [POLICY]);
    changes.close();
  });

  test('what is put there after it was looked at and before it is watched is taken up', async () => {
    const { open } = gateway(place());
    const changes = await open();
    bed.write('repository/change.json', next());
    changes.watch(async () => undefined);
    await until('it is in force', () => changes.current?.sequence === 2);
    changes.close();
    bed.write('repository/change.json', writeBundle(first.bundle));
  });

  test('what lies there and is no file keeps nobody waiting, and what could not be recorded is looked at again', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const key = own.signer('ada');
    own.begin();
    const one = own.change([key]);
    const bundle = own.write('repository/change.json', writeBundle(one));
    const { open, events, outbox } = gateway(place(), undefined, own);
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

  test('a crash between the log and the change itself is made good; a change that was never logged is none', async () => {
    const state = place();
    await gateway(state).open();
    const current = join(state, 'changes/current.json');
    const pending = join(state, 'changes/pending.json');
    const second = readChange(next());
    writeFileSync(pending, writeBundle(second.bundle));
    assert.equal(AcceptedChanges.open(state, first.id).current?.id, first.id, 'not in the log');
    assert.equal(AcceptedChanges.open(state, second.id).current?.id, second.id, 'in the log');
    assert.ok(!existsSync(pending));
    writeFileSync(pending, '{"statement":');
    assert.equal(AcceptedChanges.open(state, second.id).current?.id, second.id, 'cut short');
    renameSync(current, `${current}.away`);
    assert.throws(() => AcceptedChanges.open(state, second.id), KeptChangeError);
  });

  test('a signer who was struck from the list by a change signs no more', async () => {
    const ben = bed.signer('ben');
    bed.commit(`${POLICY}# two sign\n`);
    const { open } = gateway(place());
    const changes = await open();
    const two = readChange(writeBundle(bed.change([ada], { id: first.id, sequence: 1 })));
    await changes.offer(writeBundle(two.bundle), BY);
    bed.write(
      'repository/allowed_signers',
      bed.read('repository/allowed_signers').split('\n').slice(1).join('\n'),
    );
    bed.commit(`${POLICY}# ada has gone\n`);
    const three = readChange(writeBundle(bed.change([ada], { id: two.id, sequence: 2 })));
    await changes.offer(writeBundle(three.bundle), BY);
    bed.commit(`${POLICY}# once more\n`);
    const four = { id: three.id, sequence: 3 };
    await assert.rejects(changes.offer(writeBundle(bed.change([ada], four)), BY), { code: 'unknown-signer' });
    assert.equal((await changes.offer(writeBundle(bed.change([ben], four)), BY)).sequence, 4);
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
      gateway(join(state, `worker-${number}`), undefined, own, { worker: { of: own.config.config.name } }),
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

  test('a higher threshold holds from the change on that asks for it, not from the next start', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const [one, two] = [own.signer('ada'), own.signer('ben')];
    own.begin();
    const start = readChange(writeBundle(own.change([one])));
    own.write('repository/change.json', writeBundle(start.bundle));
    const changes = await gateway(place(), undefined, own).open();
    const text = own.read('repository/gateway.yaml');
    own.write('repository/gateway.yaml', text.replace('  bundle:', '  threshold: 2\n  bundle:'));
    own.commit(`${POLICY}# from now on two\n`);
    const raised = readChange(writeBundle(own.change([one], { id: start.id, sequence: 1 })));
    assert.equal((await changes.offer(writeBundle(raised.bundle), BY)).restart, true);
    own.commit(`${POLICY}# alone\n`);
    const next = { id: raised.id, sequence: 2 };
    await assert.rejects(changes.offer(writeBundle(own.change([one], next)), BY), {
      code: 'too-few-signatures',
    });
    // The same key a second time is the same person.
    const twice = own.change([one, one], next);
    await assert.rejects(changes.offer(writeBundle(twice), BY), { code: 'too-few-signatures' });
    assert.equal((await changes.offer(writeBundle(own.change([one, two], next)), BY)).sequence, 3);
  });

  test('where the gateway died between the log and the files, applying the change again puts them there', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const one = own.signer('ada');
    own.begin();
    const start = readChange(writeBundle(own.change([one])));
    const { file, config } = own.config;
    const before = own.read('repository/gateway.yaml');
    own.write('repository/gateway.yaml', `${before}# another\n`);
    own.commit(`${POLICY}# another\n`);
    const change = readChange(writeBundle(own.change([one], { id: start.id, sequence: 1 })));
    await AcceptedChanges.open(config.state, undefined).keep(change, async () => undefined);
    // What lay on the disk then, and a bundle that nobody accepted.
    own.write('repository/gateway.yaml', before);
    own.write('repository/policy.yaml', POLICY);
    const other = own.write('other.json', writeBundle(start.bundle));
    assert.equal(await apply([other, '--config', file]), 1);
    assert.equal(own.read('repository/policy.yaml'), POLICY, 'another change is not written');
    const again = own.write('again.json', writeBundle(change.bundle));
    assert.equal(await apply([again, '--config', file]), 1, 'no gateway took it up just now');
    assert.equal(own.read('repository/gateway.yaml'), `${before}# another\n`);
    assert.equal(own.read('repository/policy.yaml'), `${POLICY}# another\n`);
  });

  test('a list that would let nobody sign any more is refused', async () => {
    bed.write('repository/allowed_signers', `ada@example.com ${bed.read('keys/ada.pub')}`);
    const { open } = gateway(place());
    const changes = await open();
    bed.write('repository/allowed_signers', '# nobody\n');
    bed.commit(`${POLICY}# nobody\n`);
    const text = writeBundle(bed.change([ada], { id: first.id, sequence: 1 }));
    await assert.rejects(changes.offer(text, BY), { code: 'signers-invalid' });
  });

  test('what the next start would not take is refused now', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const key = own.signer('ada', 'namespaces="sallyport-change"');
    own.begin();
    const one = own.change([key]);
    own.write('repository/change.json', writeBundle(one));
    const { open, events } = gateway(place(), undefined, own);
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

  test('a file that the configuration lists is read as it was signed, whatever lies on the disk', async () => {
    const own = new ChangeBed();
    after(() => own.close());
    const key = own.signer('ada');
    own.begin('  files: [./trust/Maker_1.pem]\n');
    own.write(
      'repository/gateway.yaml',
      `${own.read('repository/gateway.yaml')}attestation: { roots: [./trust/Maker_1.pem] }\n`,
    );
    own.write('repository/trust/Maker_1.pem', 'one\n');
    own.git('add', '.');
    own.git('commit', '-q', '-m', 'trust: a maker');
    const one = readChange(writeBundle(own.change([key])));
    own.write('repository/change.json', writeBundle(one.bundle));
    const { open, events } = gateway(place(), undefined, own);
    const changes = await open();
    const [root = ''] = changes.config.attestation.roots;
    assert.equal(readFileSync(root, 'utf8'), 'one\n');
    assert.notEqual(root, own.path('repository/trust/Maker_1.pem'));
    own.write('repository/trust/Maker_1.pem', 'two\n');
    own.git('commit', '-q', '-a', '-m', 'trust: another');
    assert.equal(readFileSync(root, 'utf8'), 'one\n', 'nobody signed it');
    await changes.offer(writeBundle(own.change([key], { id: one.id, sequence: 1 })), BY);
    assert.equal(readFileSync(root, 'utf8'), 'two\n');
    assert.equal(events.filter(({ kind }) => kind === 'change-refused').length, 0);
    own.write('repository/trust/Maker_1.pem', 'three\n');
    own.git('commit', '-q', '-a', '-m', 'trust: a third');
    const { files } = readChange(writeBundle(own.change([key]))).statement;
    assert.equal(files['files/trust/Maker_1.pem']?.path, 'trust/Maker_1.pem');
  });

  test('a bundle with a random mistake is refused, or says the very same', () => {
    const text = writeBundle(first.bundle);
    const terms = termsOf(config, file, `ada@example.com ${bed.read('keys/ada.pub')}`);
    let refused = 0;
    const mistake = fc.tuple(
      fc.nat({ max: text.length - 1 }),
      fc.string({ maxLength: 3 }),
      fc.nat({ max: 3 }),
    );
    fc.assert(
      fc.property(mistake, ([at, instead, cut]) => {
        const broken = text.slice(0, at) + instead + text.slice(at + cut);
        try {
          const change = readChange(broken);
          judge(change, terms, undefined, NOW);
          assert.equal(change.id, first.id);
          assert.deepEqual(change.bundle.contents, first.bundle.contents);
        } catch (error) {
          if (!(error instanceof ChangeRefusal)) throw error;
          refused += 1;
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(refused > 1_000, `${refused} of 2000`);
  });

  test('bytes that are no signature are said to be none, and nothing else happens', () => {
    const armour = first.bundle.signatures[0] ?? '';
    const bytes = Buffer.from(armour.split('\n').slice(1, -2).join(''), 'base64');
    const broken = fc.tuple(
      fc.nat({ max: bytes.length - 1 }),
      fc.uint8Array({ maxLength: 5 }),
      fc.nat({ max: 5 }),
    );
    fc.assert(
      fc.property(broken, ([at, instead, cut]) => {
        const spoilt = Buffer.concat([bytes.subarray(0, at), instead, bytes.subarray(at + cut)]);
        const text = `-----BEGIN SSH SIGNATURE-----\n${spoilt.toString('base64')}\n-----END SSH SIGNATURE-----`;
        try {
          const signature = readSshSignature(text);
          const same = spoilt.equals(bytes);
          assert.ok(same || !signature.covers(Buffer.from(first.bundle.statement)));
        } catch (error) {
          if (!(error instanceof SshFormatError)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
