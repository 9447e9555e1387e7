// `sallyport ssh-cert`: a short-lived certificate with which OpenSSH lets the person signed in here into an app.
import { ConnectError } from '#connectors/device/connect';
import type { SshCertificate } from '#gateway/pki/ssh/certificate';
import { EXIT } from '../exit.ts';
import { explainRefusal, signedIn } from '../signed-in.ts';
import { obtain, SshCertificateError, sshFiles, usable } from '../ssh-certificate.ts';
import { SigningError } from '../ssh-keygen.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport ssh-cert APP [--key FILE] [--if-needed] [--json]

Gets a certificate of a few minutes for a public key of yours: sshd behind APP lets you in by it, without a list of your
keys. It is written beside the key, where OpenSSH looks for it. \`sallyport ssh-config\` writes how ssh calls this.

Options:
  --key FILE   Your key, its private or its public file; left out, one for APP alone that is made at the first time
  --if-needed  Do nothing while the certificate that is there is good for a minute or more
  --json       Print {"certificate", "key", "serial", "keyId", "principals", "validBefore"}

Exit codes: 0 the certificate is there, 1 not signed in, denied or unreachable, 2 wrong usage.

Example: sallyport ssh-cert shell.prod --key ~/.ssh/id_ed25519
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('ssh-cert', argv, {
    key: { type: 'string' },
    'if-needed': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [app, ...more] = parsed.positionals;
  if (app === undefined || more.length > 0) {
    process.stderr.write('sallyport ssh-cert: name one app: sallyport ssh-cert APP.\n');
    return EXIT.usage;
  }
  const { key, 'if-needed': ifNeeded, json } = parsed.values;
  const files = sshFiles(app, key);
  const there = ifNeeded ? usable(files, Date.now()) : undefined;
  const tell = (certificate: SshCertificate): number => {
    const { serial, keyId, principals, validBefore } = certificate;
    const until = validBefore * 1000;
    const told = { serial: String(serial), keyId, principals, validBefore: until };
    process.stdout.write(
      json
        ? `${JSON.stringify({ certificate: files.certificate, key: files.key, ...told })}\n`
        : `${files.certificate}: ${principals.join(', ')} until ${new Date(until).toLocaleString()}\n`,
    );
    return EXIT.ok;
  };
  if (there !== undefined) return tell(there);
  const person = signedIn('ssh-cert');
  if (person === undefined) return EXIT.no;
  try {
    return tell(await obtain(app, files, person));
  } catch (error) {
    // Every ssh asks: an app without certificates is entered as before, and needs no words.
    if (ifNeeded && error instanceof ConnectError && error.code === 'no-certificates') return EXIT.no;
    if (!(error instanceof SshCertificateError || error instanceof SigningError))
      return explainRefusal('ssh-cert', error);
    process.stderr.write(`sallyport ssh-cert: ${error.message}\n`);
    return EXIT.no;
  }
}
