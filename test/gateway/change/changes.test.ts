// Taking up changes: one after the other, each in the log before it has an effect, and none twice, also across a crash;
// and bundles with random mistakes, none of which is taken.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import fc from 'fast-check';
import { run as apply } from '#bin/commands/change/apply';
import { AcceptedChanges, KeptChangeError } from '#gateway/change/accepted';
import { readChange, writeBundle } from '#gateway/change/bundle';
import { termsOf } from '#gateway/change/governed';
import { judge } from '#gateway/change/judge';
import { ChangeRefusal } from '#gateway/change/reasons';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { readSshSignature } from '#gateway/change/sshsig';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { ChangeBed, NEEDS, POLICY } from './bed.ts';
import { BY, NOW, places, type TakingGateway, takingGateway } from './taking-gateway.ts';

suite('taking up changes', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());
  const ada = bed.signer('ada');
  bed.begin();
  const first = readChange(writeBundle(bed.change([ada])));
  bed.write('repository/change.json', writeBundle(first.bundle));
  const { file, config } = bed.config;

  const gateway = (state: string, logged?: string, from: ChangeBed = bed): TakingGateway =>
    takingGateway(from, state, logged);
  const place = places();
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
