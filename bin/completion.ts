// Writes shell completion from the command table and the help texts, so that it never names what is not there.
import type { Command } from './commands.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

/** One line of the completion's memory: the words that may follow `path`. */
interface Step {
  /** `''` for the first word, `policy`, `policy check`, … */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly summary: string }[];
}

function optionsIn(help: string): string[] {
  const found = new Set(help.match(/(?<![\w-])--[a-z][a-z0-9-]+/g));
  return [...found.add('--help')].sort();
}

function plain(words: readonly string[]): Step['words'] {
  return words.map((word) => ({ word, summary: '' }));
}

async function stepsOf(commands: readonly Command[]): Promise<Step[]> {
  const names = commands.map(({ name }) => name);
  const first = commands.map(({ name, summary }) => ({ word: name, summary }));
  const about = plain(['completion', 'help', '--help', '--version']);
  const steps: Step[] = [
    { path: '', words: [...first, ...about] },
    { path: 'help', words: plain(names) },
    { path: 'completion', words: plain(SHELLS) },
  ];
  for (const command of commands) {
    const { help, subcommands = {} } = await command.load();
    const below = Object.entries(subcommands);
    steps.push({ path: command.name, words: plain([...below.map(([name]) => name), ...optionsIn(help)]) });
    for (const [name, text] of below) {
      steps.push({ path: `${command.name} ${name}`, words: plain(optionsIn(text)) });
    }
  }
  return steps;
}

/** Single-quoted for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const CASES: (steps: readonly Step[]) => string = (steps) =>
  steps
    .map(
      ({ path, words }) => `    ${quoted(path)}) words=${quoted(words.map(({ word }) => word).join(' '))} ;;`,
    )
    .join('\n');

function bash(steps: readonly Step[]): string {
  return `# Completion of sallyport for bash: source <(sallyport completion bash)
_sallyport() {
  local typed=\${COMP_WORDS[COMP_CWORD]} path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || path+="\${path:+ }$word"
  done
  case $path in
${CASES(steps)}
  esac
  COMPREPLY=()
  for word in $words; do [[ $word == "$typed"* ]] && COMPREPLY+=("$word"); done
  return 0
}
complete -o default -F _sallyport sallyport
`;
}

function zsh(steps: readonly Step[]): string {
  return `#compdef sallyport
# Completion of sallyport for zsh: source <(sallyport completion zsh)
_sallyport() {
  local place='' given='' word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] || place+="\${place:+ }$word"
  done
  given=$(_sallyport_words "$place")
  if [[ -n $given ]]; then compadd -- \${=given}; else _files; fi
}
_sallyport_words() {
  local words=''
  case $1 in
${CASES(steps)}
  esac
  print -r -- "$words"
}
if [[ $funcstack[1] == _sallyport ]]; then _sallyport; else compdef _sallyport sallyport; fi
`;
}

function fish(steps: readonly Step[]): string {
  const lines = steps.flatMap(({ path, words }) =>
    words.map(({ word, summary }) => {
      const when = `complete -c sallyport -n ${quoted(`test "$(__sallyport_path)" = "${path}"`)}`;
      const note = summary === '' ? '' : ` -d ${quoted(summary)}`;
      return word.startsWith('--') ? `${when} -l ${word.slice(2)}` : `${when} -f -a ${quoted(word)}${note}`;
    }),
  );
  return `# Completion of sallyport for fish: sallyport completion fish | source
function __sallyport_path
  set -l words (commandline -opc)
  string join ' ' (string match -v -- '-*' $words[2..-1])
end
${lines.join('\n')}
`;
}

/** A script to source in `shell`; loads every command's help, runs none. */
export async function completionScript(shell: Shell, commands: readonly Command[]): Promise<string> {
  const steps = await stepsOf(commands);
  return { bash, zsh, fish }[shell](steps);
}
