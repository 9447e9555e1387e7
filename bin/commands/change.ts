// `sallyport change`: policy and configuration as changes that people sign; each subcommand loads when it is used.
import { EXIT } from '../exit.ts';
import { HELP } from './change/help.ts';

interface Subcommand {
  run(argv: readonly string[]): Promise<number>;
}

const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  propose: () => import('./change/propose.ts'),
  sign: () => import('./change/sign.ts'),
  check: () => import('./change/check.ts'),
  apply: () => import('./change/apply.ts'),
  log: () => import('./change/log.ts'),
};

export const subcommands: Readonly<Record<string, string>> = HELP;

export const help: string = `Usage: sallyport change <subcommand> [options]

Policy and configuration reach a gateway with \`changes\` in its configuration as files that authorised people signed
with their SSH keys. What lies on the gateway's disk and is not signed is not taken.

  propose  Make a change from what is committed in git
  sign     Sign it, with the SSH key that git signs with too
  check    Say whether a gateway of this configuration would take it, without a gateway
  apply    Have the running gateway take it up
  log      What was accepted and refused, from the transparency log

Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage.

Example: sallyport change propose --config gateway.yaml --out change.json
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  const load = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(SUBCOMMANDS).join(', ');
    process.stderr.write(`sallyport change: name one of ${known}.\nTry: sallyport change --help\n`);
    return EXIT.usage;
  }
  return (await load()).run(rest);
}
