// `sallyport ssh-config`: the lines of ~/.ssh/config by which OpenSSH reaches apps through the gateway.
import { EXIT } from '../exit.ts';
import { readOptions } from '../usage.ts';

const APP = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

export const help: string = `Usage: sallyport ssh-config APP [APP ...]

Prints Host entries for OpenSSH: ssh APP then goes through the gateway. Host keys are kept per app.

Exit codes: 0 printed, 2 wrong usage.

Example: sallyport ssh-config shell.prod >> ~/.ssh/config
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('ssh-config', argv, {});
  if (parsed === undefined) return EXIT.usage;
  const wrong = parsed.positionals.find((app) => !APP.test(app));
  if (parsed.positionals.length === 0 || wrong !== undefined) {
    const what =
      wrong === undefined ? 'name at least one app' : `${JSON.stringify(wrong)} is not an app's id`;
    process.stderr.write(`sallyport ssh-config: ${what}.\n`);
    return EXIT.usage;
  }
  for (const app of parsed.positionals) {
    process.stdout.write(
      `Host ${app}\n  ProxyCommand sallyport proxy-command ${app}\n  HostKeyAlias sallyport-${app}\n`,
    );
  }
  return EXIT.ok;
}
