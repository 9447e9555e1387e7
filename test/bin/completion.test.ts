// Shell completion, asked of the real shells: what each offers after what was typed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Command } from '#bin/commands';
import { completionScript, SHELLS, type Shell } from '#bin/completion';
import { requires } from '../requires.ts';

const table: readonly Command[] = [
  {
    name: 'policy',
    summary: "Check a policy: it's pure",
    load: async () => ({
      help: 'Usage: sallyport policy check FILE [--json]\n',
      subcommands: { check: '--json --strict-mode, not -- or a--b\n', test: '--json\n' },
      run: async () => 0,
    }),
  },
  { name: 'portal', summary: 'Open it', load: async () => ({ help: '--open\n', run: async () => 0 }) },
];

/** What the shell offers for a line that is typed up to its end. */
const ASK: Readonly<Record<Shell, (script: string, typed: string) => string[]>> = {
  bash: (script, typed) => [
    'bash',
    '--norc',
    '-c',
    `source '${script}'; COMP_WORDS=(${typed.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
     _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  // zsh only completes at a prompt, so it is asked for the words behind its completion function.
  zsh: (script, typed) => {
    const path = typed
      .split(' ')
      .slice(1, -1)
      .filter((word) => !word.startsWith('-'));
    const list = `compdef() { :; }; source '${script}'; print -l -- \${=$(_sallyport_words '${path.join(' ')}')}`;
    return ['zsh', '-fc', `${list} | grep -e '^${typed.split(' ').at(-1)}'`];
  },
  fish: (script, typed) => ['fish', '--no-config', '-c', `source '${script}'; complete -C '${typed}'`],
};

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['sallyport po', ['policy', 'portal']],
  ['sallyport policy c', ['check']],
  ['sallyport policy --j', ['--json']],
  ['sallyport policy check --', ['--help', '--json', '--strict-mode']],
  ['sallyport --x policy check --s', ['--strict-mode']],
  ['sallyport help p', ['policy', 'portal']],
  ['sallyport completion z', ['zsh']],
];

for (const shell of SHELLS) {
  suite(`completion in ${shell}`, { skip: requires(shell) }, () => {
    let folder = '';
    let script = '';
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sallyport-completion-'));
      script = join(folder, `completion.${shell}`);
      writeFileSync(script, await completionScript(shell, table));
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    for (const [typed, expected] of CASES) {
      test(`${typed}<Tab> offers ${expected.join(' ')}`, () => {
        const [command = '', ...args] = ASK[shell](script, typed);
        const { stdout, stderr } = spawnSync(command, args, {
          encoding: 'utf8',
          env: { PATH: process.env['PATH'] },
        });
        const offered = stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split('\t')[0]);
        assert.deepEqual({ offered: offered.sort(), stderr }, { offered: [...expected], stderr: '' });
      });
    }
  });
}

test('the bash script passes shellcheck', { skip: requires('shellcheck') }, async () => {
  const input = await completionScript('bash', table);
  const { status, stdout } = spawnSync('shellcheck', ['--shell=bash', '-'], { input, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
