// `sallyport device`: this machine's TPM and the gateway's knowledge of devices; each subcommand loads when it is used.
import { EXIT } from '../exit.ts';
import { HELP } from './device/help.ts';

interface Subcommand {
  run(argv: readonly string[]): Promise<number>;
}

const SUBCOMMANDS: Readonly<Record<string, () => Promise<Subcommand>>> = {
  enrol: () => import('./device/enrol.ts'),
  attest: () => import('./device/attest.ts'),
  agent: () => import('./device/agent.ts'),
  status: () => import('./device/status.ts'),
  browser: () => import('./device/browser.ts'),
  token: () => import('./device/token.ts'),
  list: () => import('./device/list.ts'),
  approve: async () => (await import('./device/change.ts')).changing('approve', 'approved'),
  revoke: async () => (await import('./device/change.ts')).changing('revoke', 'revoked'),
  forget: async () => (await import('./device/change.ts')).changing('forget', 'forgotten'),
  baseline: () => import('./device/baseline.ts'),
};

export const subcommands: Readonly<Record<string, string>> = HELP;

export const help: string = `Usage: sallyport device <subcommand> [options]

Proves with this machine's TPM which machine it is and how it booted, and looks after what the gateway knows of devices.

On the machine:
  enrol     Make keys in the TPM and have them enrolled with a token
  attest    Prove once how this machine booted
  agent     Keep the proof fresh, and answer your browser
  status    What this machine is enrolled as
  browser   Let your browser show which device it is on

For admins, beside the gateway:
  token     Make a single-use token with which one device enrols
  list      The devices and how they are
  approve   Approve a device that has enrolled
  revoke    Revoke a device and close what it has open
  forget    Let a device enrol anew
  baseline  What devices of one model may have started

Exit codes: 0 done, 1 the answer is no or it failed, 2 wrong usage.

Example: sallyport device enrol --token-file laptop.token
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv;
  const load = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(SUBCOMMANDS).join(', ');
    process.stderr.write(`sallyport device: name one of ${known}.\nTry: sallyport device --help\n`);
    return EXIT.usage;
  }
  return (await load()).run(rest);
}
