// Turns an argument list into the run of one command; it must never load a command that was not asked for.
import { nearest } from '#policy/document/nearest';
import { type Command, type CommandModule, commands as table } from './commands.ts';
import { completionScript, SHELLS } from './completion.ts';
import { EXIT } from './exit.ts';
import { version } from './version.ts';

/** Where a command line's words go. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/** Commands that speak about the table itself. */
const ABOUT: readonly { readonly name: string; readonly summary: string }[] = [
  { name: 'completion', summary: `Print shell completion: ${SHELLS.join(', ')}` },
  { name: 'help', summary: 'Explain a command: sallyport help <command> [subcommand]' },
];

function overview(commands: readonly Command[]): string {
  const rows = [...commands, ...ABOUT];
  const width = Math.max(...rows.map(({ name }) => name.length));
  return [
    'Usage: sallyport <command> [arguments]',
    '',
    'Every request proven, decided, recorded, then carried through a connector that dialled out.',
    '',
    'Commands:',
    ...rows.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'sallyport <command> --help explains one; sallyport --version prints the version.',
    'Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage, 69 no runtime, 70 a fault of ours.',
    '',
  ].join('\n');
}

/** The name that was probably meant: the only one that begins so, or else the nearest. */
export function meantBy(typed: string, names: readonly string[]): string | undefined {
  const [begun, another] = typed === '' ? [] : names.filter((name) => name.startsWith(typed));
  return begun !== undefined && another === undefined ? begun : nearest(typed, names);
}

function unknown(what: string, typed: string, names: readonly string[], output: Output): number {
  const meant = meantBy(typed, names);
  const shown = JSON.stringify(typed.length > 60 ? `${typed.slice(0, 60)}…` : typed);
  const hint = meant === undefined ? `There are: ${names.join(', ')}.` : `Did you mean ${meant}?`;
  output.error(`sallyport: no ${what} ${shown}. ${hint}\n`);
  return EXIT.usage;
}

/** True when help is asked for; what follows `--` belongs to somebody else's command line. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

function explain(command: CommandModule, subcommand: string | undefined): string {
  const own = command.subcommands;
  if (own === undefined || subcommand === undefined || !Object.hasOwn(own, subcommand)) return command.help;
  return own[subcommand] ?? command.help;
}

async function help(
  [name, subcommand]: readonly string[],
  commands: readonly Command[],
  output: Output,
): Promise<number> {
  const about = ABOUT.find((one) => one.name === name);
  if (name === undefined || about !== undefined) {
    output.out(about === undefined ? overview(commands) : `sallyport ${about.name}: ${about.summary}\n`);
    return EXIT.ok;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) return unknown('command', name, namesOf(commands), output);
  const loaded = await command.load();
  if (subcommand !== undefined && !Object.hasOwn(loaded.subcommands ?? {}, subcommand)) {
    const known = Object.keys(loaded.subcommands ?? {});
    if (known.length > 0) return unknown(`subcommand of ${name}`, subcommand, known, output);
  }
  output.out(explain(loaded, subcommand));
  return EXIT.ok;
}

function namesOf(commands: readonly Command[]): string[] {
  return [...commands, ...ABOUT].map(({ name }) => name);
}

/** Runs the command that `argv` names (without `node` and the script) and answers its exit code. */
export async function dispatch(
  argv: readonly string[],
  output: Output,
  commands: readonly Command[] = table,
): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h') return help([], commands, output);
  if (name === 'help') return help(asksForHelp(rest) ? [name] : rest, commands, output);
  if (name === '--version' || name === '-V') {
    output.out(`${version()}\n`);
    return EXIT.ok;
  }
  if (name === 'completion') {
    if (asksForHelp(rest)) return help([name], commands, output);
    const shell = SHELLS.find((one) => one === rest[0]);
    if (shell === undefined || rest.length > 1) return unknown('shell', rest.join(' '), SHELLS, output);
    output.out(await completionScript(shell, commands));
    return EXIT.ok;
  }
  const command = commands.find((one) => one.name === name);
  if (command === undefined) return unknown('command', name, namesOf(commands), output);
  const loaded = await command.load();
  if (asksForHelp(command.handsOn ? rest.slice(0, 1) : rest)) {
    output.out(explain(loaded, rest[0]));
    return EXIT.ok;
  }
  return loaded.run(rest);
}
