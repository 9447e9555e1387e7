// What a change is refused for: each way to be wrong has its own reason, and only what is right in all of them passes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { after, suite, test } from 'node:test';
import { type Bundle, type Change, readChange, type Statement, writeBundle } from '#gateway/change/bundle';
import { termsOf } from '#gateway/change/governed';
import { type InForce, judge, type Terms } from '#gateway/change/judge';
import { CHANGE_REASONS, ChangeRefusal } from '#gateway/change/reasons';
import { requires } from '#test/requires';
import { ChangeBed, NEEDS, POLICY } from './bed.ts';

const NOW = Date.UTC(2026, 2, 4);

suite('changes', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());
  const ada = bed.signer('ada');
  const ben = bed.signer('ben', '', '-t', 'ecdsa', '-b', '256');
  const gone = bed.signer('gone', 'valid-before="20260301Z"');
  const gitOnly = bed.signer('git-only', 'namespaces="git"');
  const stranger = bed.key('stranger');
  bed.begin();
  const { file, config } = bed.config;
  const terms = termsOf(config, file);

  const read = (bundle: Bundle): Change => readChange(writeBundle(bundle));
  const verdict = (
    bundle: Bundle,
    more: Partial<Terms> = {},
    inForce?: InForce,
  ): string | readonly string[] => {
    try {
      return judge(read(bundle), { ...terms, ...more }, inForce, NOW);
    } catch (error) {
      assert.ok(error instanceof ChangeRefusal, String(error));
      seen.add(error.code);
      return error.code;
    }
  };
  const seen = new Set<string>();
  /** A change whose statement says something else, signed as such. */
  const stating = (more: Partial<Statement>, keys = [ada]): Bundle =>
    bed.change(keys, undefined, (bundle) => ({
      ...bundle,
      statement: JSON.stringify({ ...JSON.parse(bundle.statement), ...more }),
    }));
  const first = read(bed.change([ada]));
  const inForce = { id: first.id, sequence: 1 };

  test('one that is right passes, and names who signed', () => {
    assert.deepEqual(verdict(bed.change([ada])), ['ada@example.com']);
    assert.deepEqual(verdict(bed.change([ben, ada]), { threshold: 2 }), [
      'ada@example.com',
      'ben@example.com',
    ]);
    assert.deepEqual(verdict(bed.change([ada], inForce), {}, inForce), ['ada@example.com']);
  });

  test('ssh-keygen itself verifies what counts here', () => {
    const { statement, signatures } = bed.change([ben]);
    bed.write('change.sig', signatures[0] ?? '');
    const signers = bed.path('repository/allowed_signers');
    const args = ['-Y', 'verify', '-f', signers, '-I', 'ben@example.com', '-n', 'sallyport-change'];
    const said = execFileSync('ssh-keygen', [...args, '-s', bed.path('change.sig')], {
      input: statement,
      encoding: 'utf8',
    });
    assert.match(said, /Good "sallyport-change" signature for ben@example\.com/);
  });

  test('who signed, and for what', () => {
    assert.equal(verdict(bed.change([])), 'unsigned');
    assert.equal(verdict(bed.change([stranger])), 'unknown-signer');
    assert.equal(verdict(bed.change([gone])), 'key-expired');
    assert.equal(verdict(bed.change([gitOnly])), 'foreign-signed');
    const change = bed.change([]);
    const forGit = bed.sign(ada, change.statement, 'git');
    assert.equal(verdict({ ...change, signatures: [forGit] }), 'foreign-signed');
    assert.equal(
      verdict({ ...change, signatures: ['-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----'] }),
      'malformed',
    );
  });

  test('people are counted, not signatures', () => {
    const two = { threshold: 2 };
    assert.equal(verdict(bed.change([ada]), two), 'too-few-signatures');
    assert.equal(verdict(bed.change([ada, ada]), two), 'too-few-signatures');
    assert.equal(verdict(bed.change([ada, stranger]), two), 'too-few-signatures');
    assert.equal(verdict(bed.change([ada, gone]), two), 'too-few-signatures');
    const second = bed.key('ada-second');
    const more = `${bed.read('repository/allowed_signers')}ada@example.com ${bed.read('keys/ada-second.pub')}`;
    const signers = termsOf(config, file, more).signers;
    assert.equal(
      verdict(bed.change([ada, second]), { ...two, signers }),
      'too-few-signatures',
      'two keys of one person',
    );
    assert.deepEqual(verdict(bed.change([ada, stranger])), ['ada@example.com'], 'a stranger does no harm');
  });

  test('what was signed is what is taken', () => {
    const change = bed.change([ada]);
    assert.equal(verdict({ ...change, statement: change.statement.replace('main', 'evil') }), 'tampered');
    assert.equal(
      verdict({ ...change, contents: { ...change.contents, policy: `${POLICY}# more\n` } }),
      'tampered',
    );
    assert.equal(verdict({ ...change, contents: { ...change.contents, more: '' } }), 'tampered');
    const { policy: _, ...less } = change.contents;
    assert.equal(verdict({ ...change, contents: less }), 'tampered');
    const lone = { ...change.contents, policy: `${POLICY}\ud800` };
    assert.equal(verdict({ ...change, contents: lone }), 'tampered');
    const moved = { ...change, signatures: [bed.sign(ada, 'something else')] };
    assert.equal(verdict(moved), 'tampered');
  });

  test('from where', () => {
    assert.equal(verdict(stating({ gateway: 'staging.example.com' })), 'wrong-gateway');
    assert.equal(verdict(stating({ repository: 'git@git.example.com:eve/access.git' })), 'wrong-repository');
    assert.equal(verdict(stating({ branch: 'try' }), { branch: 'main' }), 'wrong-branch');
    assert.equal(verdict(bed.change([ada]), { commit: '0'.repeat(40) }), 'wrong-commit');
    assert.deepEqual(verdict(bed.change([ada]), { branch: 'main', commit: first.statement.commit }), [
      'ada@example.com',
    ]);
  });

  test('in what order', () => {
    assert.equal(verdict(first.bundle, {}, inForce), 'replayed');
    const third = read(bed.change([ada], { id: 'a'.repeat(64), sequence: 2 }));
    const current = { id: third.id, sequence: 3 };
    assert.equal(verdict(first.bundle, {}, current), 'rolled-back');
    assert.equal(
      verdict(stating({ sequence: 3 }), {}, current),
      'wrong-predecessor',
      'a second one of the same number',
    );
    assert.equal(
      verdict(bed.change([ada], { id: 'b'.repeat(64), sequence: 3 }), {}, current),
      'wrong-predecessor',
    );
    assert.deepEqual(
      verdict(bed.change([ada], { id: 'b'.repeat(64), sequence: 4 }), {}, current),
      ['ada@example.com'],
      'it was away for one',
    );
  });

  test('of which commit', () => {
    const change = bed.change([ada]);
    const { files } = first.statement;
    assert.equal(
      verdict(stating({ files: { policy: files['policy'] ?? { path: '', sha256: '' } } })),
      'incomplete',
    );
    assert.equal(verdict({ ...change, objects: [] }), 'not-of-commit');
    assert.equal(verdict({ ...change, objects: change.objects.slice(0, 1) }), 'not-of-commit');
    assert.equal(verdict(stating({ commit: '1'.repeat(40) })), 'not-of-commit');
    assert.equal(verdict(stating({ author: 'Eve <eve@example.com>' })), 'not-of-commit');
    const other = bed.change([ada], undefined, (bundle) => {
      const policy = `${POLICY}# never committed\n`;
      const statement = JSON.parse(bundle.statement);
      statement.files.policy.sha256 = hash('sha256', policy, 'hex');
      return { ...bundle, statement: JSON.stringify(statement), contents: { ...bundle.contents, policy } };
    });
    assert.equal(verdict(other), 'not-of-commit');
  });

  test('a signed commit, where it must be', () => {
    assert.equal(verdict(bed.change([ada]), { signedCommits: true }), 'commit-unsigned');
    const signed = (key: string): Bundle => {
      bed.commit(`${POLICY}# ${key}\n`, '--no-gpg-sign');
      bed.git(
        '-c',
        'gpg.format=ssh',
        '-c',
        `user.signingkey=${key}`,
        'commit',
        '--amend',
        '-q',
        '--no-edit',
        '-S',
      );
      return bed.change([ada]);
    };
    assert.equal(verdict(signed(stranger), { signedCommits: true }), 'commit-unsigned');
    assert.deepEqual(verdict(signed(gitOnly), { signedCommits: true }), ['ada@example.com']);
  });

  test('in what form', () => {
    const change = bed.change([ada]);
    const text = writeBundle(change);
    const code = (broken: string): string => {
      try {
        return readChange(broken).id;
      } catch (error) {
        assert.ok(error instanceof ChangeRefusal);
        seen.add(error.code);
        return error.code;
      }
    };
    assert.equal(code(text.slice(0, -10)), 'malformed');
    assert.equal(code(text.replace('"signatures"', '"signatoures"')), 'malformed');
    assert.equal(code(writeBundle({ ...change, statement: '{"version":2}' })), 'malformed');
    assert.equal(code(' '.repeat(33 * 2 ** 20)), 'too-large');
  });

  test('every reason that is told of a change itself was seen here', () => {
    const byTheGateway = ['signers-invalid', 'policy-invalid', 'configuration-invalid'];
    assert.deepEqual([...seen, ...byTheGateway].sort(), [...CHANGE_REASONS].sort());
  });
});

suite('changes of a repository with SHA-256', { skip: requires(...NEEDS) }, () => {
  const bed = new ChangeBed();
  after(() => bed.close());

  test('commits of both formats are followed into folders', () => {
    const ada = bed.signer('ada');
    bed.begin('', '--object-format=sha256');
    bed.write('repository/sites/berlin/policy.yaml', POLICY);
    bed.write(
      'repository/gateway.yaml',
      bed.read('repository/gateway.yaml').replace('./policy.yaml', './sites/berlin/policy.yaml'),
    );
    bed.git('add', '.');
    bed.git('commit', '-q', '-m', 'policy: a folder for each site');
    const { file, config } = bed.config;
    const change = readChange(writeBundle(bed.change([ada])));
    assert.equal(change.statement.commit.length, 64);
    assert.equal(change.statement.files['policy']?.path, 'sites/berlin/policy.yaml');
    assert.deepEqual(judge(change, termsOf(config, file), undefined, NOW), ['ada@example.com']);
  });
});
