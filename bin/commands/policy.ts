// `sallyport policy`: checks, tests, explains and compares policy documents; each subcommand loads when it is used.
import { EXIT } from '../exit.ts';
import { HELP } from './policy/help.ts';

interface Subcommand {
  run(argv: readonly string[]): Promise<number>;
}

const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  check: () => import('./policy/check.ts'),
  test: () => import('./policy/test.ts'),
  explain: () => import('./policy/explain.ts'),
  reach: () => import('./policy/reach.ts'),
  lint: () => import('./policy/lint.ts'),
  diff: () => import('./policy/diff.ts'),
  replay: () => import('./policy/replay.ts'),
  promote: () => import('./policy/promote.ts'),
};

export const subcommands: Readonly<Record<string, string>> = HELP;

export const help: string = `Usage: sallyport policy <subcommand> FILE [options]

Checks, tests, explains and compares policy documents. Nothing here changes a running gateway.

Subcommands:
  check    Every mistake in a document, its tests, and rules that do nothing
  test     Run the document's own tests
  explain  Why a request is decided as it is, and what would change that
  reach    Who can reach an app, or what somebody can reach
  lint     Rules that never fire, are covered by others, or were never hit
  diff     What changes between two documents
  replay   Run recorded decisions through a new document: who gains, who loses
  promote  Put a shadow rule in force

Each takes --json. Exit codes: 0 fine, 1 something was found, 2 wrong usage or input that cannot be read.

Example: sallyport policy check policy.yaml
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  if (name === '--help' || name === '-h') {
    process.stdout.write(help);
    return EXIT.ok;
  }
  const load = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(SUBCOMMANDS).join(', ');
    process.stderr.write(`sallyport policy: name one of ${known}.\nTry: sallyport policy --help\n`);
    return EXIT.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(HELP[name] ?? help);
    return EXIT.ok;
  }
  return (await load()).run(rest);
}
