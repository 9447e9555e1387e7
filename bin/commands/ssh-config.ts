// `sallyport ssh-config`: the lines of ~/.ssh/config by which OpenSSH reaches apps through the gateway.
import { EXIT } from '../exit.ts';
import { sshFiles } from '../ssh-certificate.ts';
import { readOptions } from '../usage.ts';

const APP = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

export const help: string = `Usage: sallyport ssh-config APP [APP ...] [--no-certificate]

Prints entries for OpenSSH: ssh APP then goes through the gateway, and gets a fresh certificate by itself where the app
takes certificates. Host keys are kept per app.

Options:
  --no-certificate  Do not ask for certificates

Exit codes: 0 printed, 2 wrong usage.

Example: sallyport ssh-config shell.prod >> ~/.ssh/config
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('ssh-config', argv, { 'no-certificate': { type: 'boolean', default: false } });
  if (parsed === undefined) return EXIT.usage;
  const wrong = parsed.positionals.find((app) => !APP.test(app));
  if (parsed.positionals.length === 0 || wrong !== undefined) {
    const what =
      wrong === undefined ? 'name at least one app' : `${JSON.stringify(wrong)} is not an app's id`;
    process.stderr.write(`sallyport ssh-config: ${what}.\n`);
    return EXIT.usage;
  }
  for (const app of parsed.positionals) {
    if (!parsed.values['no-certificate']) process.stdout.write(certified(app));
    process.stdout.write(
      `Host ${app}\n  ProxyCommand sallyport proxy-command ${app}\n  HostKeyAlias sallyport-${app}\n`,
    );
  }
  return EXIT.ok;
}

/** Only where there is a certificate: without one, ssh tries the person's other keys as ever. */
function certified(app: string): string {
  const { key, certificate } = sshFiles(app);
  const path = (file: string): string => `"${file.replaceAll('%', '%%')}"`;
  return (
    `Match originalhost ${app} exec "sallyport ssh-cert ${app} --if-needed"\n` +
    `  IdentityFile ${path(key)}\n  CertificateFile ${path(certificate)}\n  IdentitiesOnly yes\n`
  );
}
