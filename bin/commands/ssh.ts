// `sallyport ssh`: OpenSSH through the gateway, by a certificate where the app takes one, without any configuration.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ConnectError } from '#connectors/device/connect';
import { EXIT } from '../exit.ts';
import { explainRefusal, type SignedIn, signedIn } from '../signed-in.ts';
import { obtain, SshCertificateError, sshFiles, usable } from '../ssh-certificate.ts';
import { SigningError } from '../ssh-keygen.ts';

const TARGET = /^(?:([^@\s-][^@\s]{0,127})@)?([a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)$/;

export const help: string = `Usage: sallyport ssh [USER@]APP [WORDS OF SSH ...]

Runs ssh to the TCP app APP through the gateway. Where the app takes certificates, one is got first. What follows APP is
for ssh: options, and the command to run.

Exit codes: that of ssh; 1 not signed in or denied, 2 wrong usage.

Example: sallyport ssh deploy@shell.prod uptime
`;

export async function run(argv: readonly string[]): Promise<number> {
  const [target = '', ...words] = argv;
  const [, user, app] = TARGET.exec(target) ?? [];
  if (app === undefined) {
    process.stderr.write('sallyport ssh: name an app first: sallyport ssh [USER@]APP [WORDS OF SSH ...].\n');
    return EXIT.usage;
  }
  const person = signedIn('ssh');
  if (person === undefined) return EXIT.no;
  let identity: readonly string[];
  try {
    identity = await identityOf(app, person);
  } catch (error) {
    if (!(error instanceof SshCertificateError || error instanceof SigningError))
      return explainRefusal('ssh', error);
    process.stderr.write(`sallyport ssh: ${error.message}\n`);
    return EXIT.no;
  }
  const proxy = [process.execPath, process.argv[1] ?? '', 'proxy-command', app].map(quoted).join(' ');
  const options = [`ProxyCommand=${proxy}`, `HostKeyAlias=sallyport-${app}`, ...identity];
  const to = user === undefined ? app : `${user}@${app}`;
  return ssh([...options.flatMap((option) => ['-o', option]), to, ...words]);
}

/** Options by which ssh uses the certificate; none where the app takes none. */
async function identityOf(app: string, person: SignedIn): Promise<readonly string[]> {
  const files = sshFiles(app);
  try {
    if (usable(files, Date.now()) === undefined) await obtain(app, files, person);
  } catch (error) {
    if (error instanceof ConnectError && error.code === 'no-certificates') return [];
    throw error;
  }
  const { key, certificate } = files;
  return [`IdentityFile=${percent(key)}`, `CertificateFile=${percent(certificate)}`, 'IdentitiesOnly=yes'];
}

function ssh(words: readonly string[]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = spawn('ssh', words, { stdio: 'inherit' });
  child.once('error', (error) => {
    process.stderr.write(`sallyport ssh: ssh cannot be run (${error.message}): install OpenSSH's client.\n`);
    resolve(EXIT.no);
  });
  child.once('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0)));
  return promise;
}

/** A word for the shell that ssh runs a proxy command with. */
function quoted(word: string): string {
  return `'${percent(word).replaceAll("'", `'\\''`)}'`;
}

/** ssh reads % as the beginning of something else. */
function percent(text: string): string {
  return text.replaceAll('%', '%%');
}
