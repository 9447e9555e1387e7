// The command line: what each word leads to, what a mistake is told, and that the table is whole.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Command, type CommandModule, commands } from '#bin/commands';
import { dispatch, meantBy } from '#bin/dispatch';

const root = join(import.meta.dirname, '../..');

interface Said {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function say(argv: readonly string[], table: readonly Command[] = commands): Promise<Said> {
  let out = '';
  let error = '';
  const output = {
    out: (text: string): void => {
      out += text;
    },
    error: (text: string): void => {
      error += text;
    },
  };
  const code = await dispatch(argv, output, table);
  return { code, out, error };
}

/** A table of one command that remembers how it was run. */
function fixture(): { table: Command[]; runs: (readonly string[])[]; loads: string[] } {
  const runs: (readonly string[])[] = [];
  const loads: string[] = [];
  const command = (name: string, module: Partial<CommandModule>): Command => ({
    name,
    summary: `summary of ${name}`,
    load: async () => {
      loads.push(name);
      return {
        help: `help of ${name}\n`,
        run: async (argv) => {
          runs.push(argv);
          return 5;
        },
        ...module,
      };
    },
  });
  const table = [
    command('policy', { subcommands: { check: 'help of check\n', test: 'help of test\n' } }),
    command('curl', {}),
  ];
  return { table, runs, loads };
}

test('a command gets what follows its name and answers the exit code; no other one is loaded', async () => {
  const { table, runs, loads } = fixture();
  assert.deepEqual(await say(['policy', 'check', '--json', 'a b'], table), { code: 5, out: '', error: '' });
  assert.deepEqual(runs, [['check', '--json', 'a b']]);
  assert.deepEqual(loads, ['policy']);
});

for (const argv of [[], ['--help'], ['-h'], ['help'], ['help', 'help'], ['help', '--help']]) {
  test(`the overview or its own help for: sallyport ${argv.join(' ')}`, async () => {
    const { table, loads } = fixture();
    const { code, out, error } = await say(argv, table);
    assert.deepEqual({ code, error, loads }, { code: 0, error: '', loads: [] });
    assert.match(out, argv.length > 1 ? /^sallyport help: / : / {2}policy +summary of policy\n/);
  });
}

const HELP: readonly (readonly [readonly string[], string])[] = [
  [['policy', '--help'], 'help of policy\n'],
  [['policy', '-h'], 'help of policy\n'],
  [['policy', 'check', '--help'], 'help of check\n'],
  [['policy', 'check', 'file', '--json', '-h'], 'help of check\n'],
  [['policy', 'constructor', '--help'], 'help of policy\n'],
  [['help', 'policy'], 'help of policy\n'],
  [['help', 'policy', 'test'], 'help of test\n'],
  [['help', 'curl', 'anything'], 'help of curl\n'],
];
for (const [argv, expected] of HELP) {
  test(`help without a run: sallyport ${argv.join(' ')}`, async () => {
    const { table, runs } = fixture();
    assert.deepEqual(await say(argv, table), { code: 0, out: expected, error: '' });
    assert.deepEqual(runs, []);
  });
}

test('--help behind -- belongs to the program named there', async () => {
  const { table, runs } = fixture();
  assert.equal((await say(['curl', '--', 'wiki', '--help'], table)).code, 5);
  assert.deepEqual(runs, [['--', 'wiki', '--help']]);
});

test('-h of what ssh runs is for that', async () => {
  const { table, runs } = fixture();
  const ssh = (commands.find(({ name }) => name === 'ssh') ?? {}) as Command;
  const [policy] = table as [Command];
  const stand = [{ ...ssh, load: policy.load }];
  assert.equal((await say(['ssh', 'shell.prod', 'df', '-h'], stand)).code, 5);
  assert.deepEqual(runs, [['shell.prod', 'df', '-h']]);
  assert.match((await say(['ssh', '--help'], stand)).out, /^help of/);
});

const MISTAKES: readonly (readonly [readonly string[], RegExp])[] = [
  [['polcy'], /^sallyport: no command "polcy"\. Did you mean policy\?\n$/],
  [['pol'], /Did you mean policy\?/],
  [['--json'], /^sallyport: no command "--json"\. There are: policy, curl, completion, help\.\n$/],
  [['\u001b[2J'], /no command "\\u001b\[2J"/],
  [['x'.repeat(500)], /no command "x{60}…"/],
  [['help', 'polciy'], /Did you mean policy\?/],
  [['help', 'policy', 'chekc'], /^sallyport: no subcommand of policy "chekc"\. Did you mean check\?\n$/],
  [['completion'], /^sallyport: no shell ""\. There are: bash, zsh, fish\.\n$/],
  [['completion', 'fsih'], /Did you mean fish\?/],
  [['completion', 'bash', 'zsh'], /^sallyport: no shell "bash zsh"/],
];
for (const [argv, expected] of MISTAKES) {
  test(`a mistake is named and ends with 2: sallyport ${argv.join(' ').slice(0, 40)}`, async () => {
    const { code, out, error } = await say(argv, fixture().table);
    assert.deepEqual({ code, out }, { code: 2, out: '' });
    assert.match(error, expected);
  });
}

test('a far-off word is not guessed at', () => {
  assert.equal(meantBy('wireguard', ['policy', 'gateway']), undefined);
  assert.equal(meantBy('', ['policy']), undefined);
  assert.equal(meantBy('gatewya', ['policy', 'gateway']), 'gateway');
  assert.equal(meantBy('po', ['policy', 'portal']), undefined);
  assert.equal(meantBy('gat', ['policy', 'gateway']), 'gateway');
});

suite('the table of commands', () => {
  test('names every file in bin/commands/, and each once', () => {
    const files = globSync('*.ts', { cwd: join(root, 'bin/commands') }).map((file) =>
      file.replace(/\.ts$/, ''),
    );
    assert.deepEqual(commands.map(({ name }) => name).sort(), files.sort());
  });

  for (const { name, summary, load } of commands) {
    test(`${name} loads and explains itself and its subcommands`, async () => {
      const { help, subcommands = {}, run } = await load();
      assert.equal(typeof run, 'function');
      assert.match(summary, /^[A-Z].{8,70}[^.]$/);
      for (const [sub, text] of [['', help] as const, ...Object.entries(subcommands)]) {
        const words = `sallyport ${name}${sub === '' ? '' : ` ${sub}`}`;
        assert.ok(text.startsWith(`Usage: ${words}`), `the help of "${words}" begins with its usage`);
        if (sub !== '' || Object.keys(subcommands).length === 0) {
          assert.match(text, /^Exit codes?:/m, `the help of "${words}" names its exit codes`);
          assert.match(text, /^Examples?:/m, `the help of "${words}" shows an example`);
        }
        assert.ok(
          text.endsWith('\n') && !text.endsWith('\n\n'),
          `the help of "${words}" ends in one newline`,
        );
        for (const line of text.split('\n')) assert.ok(line.length <= 120, `too wide: ${line}`);
      }
      for (const sub of Object.keys(subcommands)) {
        assert.ok(help.includes(sub), `the help of ${name} does not name its subcommand ${sub}`);
      }
    });
  }
});
