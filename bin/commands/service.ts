// `sallyport service`: the certificate with which a program asks for apps, got once with a token and renewed with itself.
import { existsSync, readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { certifiableKey } from '#connectors/device/certified-key';
import { TpmError } from '#connectors/device/tpm/error';
import { isKeyFile } from '#connectors/device/tpm/key-file';
import { DEFAULT_TPM } from '#connectors/device/tpm/link';
import { enrol, renew, renewalTime } from '#connectors/link/enrol';
import { type Identity, loadIdentity, StateError, saveIdentity } from '#connectors/link/identity';
import { keyInFile } from '#connectors/link/requested-key';
import { EnrolError, readToken } from '#connectors/link/token';
import { EvidenceError } from '#connectors/wire/evidence';
import { describeError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { readOptions } from '../usage.ts';

const ENROL_HELP = `Usage: sallyport service enrol --gateway URL --token-file FILE --dir DIR [--tpm TPM]

Spends a token of \`sallyport ca issue-service\` for a certificate. DIR then holds identity.pem, key and chain, of mode
0600, and ca.pem. The key is made here and is sent nowhere. With --tpm it is made in the TPM and never leaves it, which
is proved to the gateway; identity.pem then holds it wrapped, for programs that use OpenSSL with its provider tpm2.

Options:
  --gateway URL      The gateway's listener for connectors: https://access.example.com:8444
  --token-file FILE  The token, used once; - reads it from standard input
  --dir DIR          Where the identity is kept, mode 0700
  --tpm TPM          Make the key in this TPM: /dev/tpmrm0

Exit codes: 0 enrolled, 1 refused or unreachable, 2 wrong usage.

Example: sallyport service enrol --gateway https://access.example.com:8444 --token-file billing.token --dir ./billing
`;

const RENEW_HELP = `Usage: sallyport service renew --gateway URL --dir DIR [--keep] [--force] [--tpm TPM]

Renews the certificate in DIR once two thirds of its life have passed; before that, nothing is done.

Options:
  --gateway URL  The gateway's listener for connectors
  --dir DIR      As for enrol
  --keep         Stay, and renew whenever it is time
  --force        Renew now
  --tpm TPM      Where the key is, if not in /dev/tpmrm0

Exit codes: 0 renewed or not due, 1 refused or unreachable, 2 wrong usage.

Example: sallyport service renew --gateway https://access.example.com:8444 --dir ./billing --keep
`;

export const help: string = `Usage: sallyport service enrol|renew --gateway URL --dir DIR [options]

Gets and renews the certificate with which a program asks for apps (see docs/services.md).

Subcommands:
  enrol --token-file FILE   Spend a token for a certificate; with --tpm, for a key in a TPM
  renew [--keep] [--force]  Renew it

Exit codes: 0 done, 1 refused or unreachable, 2 wrong usage.

Example: sallyport service enrol --gateway https://access.example.com:8444 --token-file billing.token --dir ./billing
`;

export const subcommands: Readonly<Record<string, string>> = { enrol: ENROL_HELP, renew: RENEW_HELP };

/** Between attempts that failed, in milliseconds. */
const PAUSE = 60_000;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('service', argv, {
    gateway: { type: 'string' },
    'token-file': { type: 'string' },
    dir: { type: 'string' },
    keep: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    tpm: { type: 'string' },
  });
  if (parsed === undefined) return EXIT.usage;
  const { gateway = '', dir, 'token-file': tokenFile, keep, force, tpm } = parsed.values;
  const action = parsed.positionals.join(' ');
  const url = URL.parse(gateway);
  const complete = Object.hasOwn(subcommands, action) && (tokenFile !== undefined) === (action === 'enrol');
  if (!complete || dir === undefined || url?.protocol !== 'https:') {
    process.stderr.write(
      'sallyport service: use `sallyport service enrol --gateway https://HOST:PORT --token-file FILE --dir DIR`, ' +
        'or `sallyport service renew --gateway https://HOST:PORT --dir DIR`.\nTry: sallyport service --help\n',
    );
    return EXIT.usage;
  }
  try {
    if (action === 'enrol') await enrolOnce(url, tokenFile ?? '', dir, tpm);
    else await renewed({ gateway: url, dir, tpm }, force);
    while (keep && action === 'renew') await untilDue({ gateway: url, dir, tpm });
    return EXIT.ok;
  } catch (error) {
    const known = KNOWN.some((kind) => error instanceof kind);
    if (!known && typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    process.stderr.write(`sallyport service: ${describeError(error)}\n`);
    return EXIT.no;
  }
}

/** What says itself what to do. */
const KNOWN = [EnrolError, StateError, TpmError, EvidenceError];

async function enrolOnce(gateway: URL, file: string, dir: string, tpm: string | undefined): Promise<void> {
  const text = file === '-' ? await readAll(process.stdin) : readFileSync(file, 'utf8');
  const token = readToken(text, Date.now());
  if (existsSync(`${dir}/identity.pem`)) {
    throw new EnrolError(
      'refused',
      `${dir} holds an identity already: renew it, or choose another directory`,
    );
  }
  // The directory must be fit to keep it before the token is spent.
  loadIdentity(dir);
  told(dir, await enrol(gateway, token, tpm === undefined ? keyInFile : () => certifiableKey(tpm)));
}

interface Kept {
  readonly gateway: URL;
  readonly dir: string;
  readonly tpm: string | undefined;
}

async function renewed({ gateway, dir, tpm = DEFAULT_TPM }: Kept, force: boolean): Promise<void> {
  const identity = identityIn(dir);
  if (!force && Date.now() < renewalTime(identity)) {
    process.stdout.write(`not due before ${new Date(renewalTime(identity)).toISOString()}\n`);
    return;
  }
  const { key } = identity;
  // A key of a TPM stays the same: nobody can have copied it.
  told(dir, await renew(gateway, identity, isKeyFile(key) ? () => certifiableKey(tpm, key) : keyInFile));
}

async function untilDue(kept: Kept): Promise<void> {
  const wait = renewalTime(identityIn(kept.dir)) - Date.now();
  await sleep(Math.max(PAUSE, wait));
  try {
    await renewed(kept, true);
  } catch (error) {
    if (!(error instanceof EnrolError || error instanceof TpmError)) throw error;
    process.stderr.write(`sallyport service: not renewed: ${error.message}\n`);
  }
}

function identityIn(dir: string): Identity {
  const identity = loadIdentity(dir);
  if (identity !== undefined) return identity;
  throw new EnrolError('refused', `${dir} holds no identity: enrol first`);
}

function told(dir: string, identity: Identity): void {
  saveIdentity(dir, identity);
  process.stdout.write(`${dir}/identity.pem holds until ${new Date(identity.notAfter).toISOString()}\n`);
}
