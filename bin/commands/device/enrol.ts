// `sallyport device enrol`: makes keys in the TPM and has them enrolled.
import { existsSync, readFileSync } from 'node:fs';
import { enrolDevice } from '#connectors/device/ceremony';
import { CredentialsError, credentialsFile, readCredentials } from '#connectors/device/credentials';
import { preparePlace, writeDevice } from '#connectors/device/key-store';
import { DEFAULT_TPM } from '#connectors/device/tpm/link';
import { portalAgent } from '#connectors/device/transport';
import { describeSystemError } from '#siem/system-error';
import { EXIT } from '../../exit.ts';
import { AuthorityFileError, readAuthority } from '../../read-authority.ts';
import { readOptions } from '../../usage.ts';
import { explain, ownDeviceFile } from './machine.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('device enrol', argv, {
    'token-file': { type: 'string' },
    portal: { type: 'string' },
    ca: { type: 'string' },
    tpm: { type: 'string', default: DEFAULT_TPM },
    endorsement: { type: 'string' },
    again: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { 'token-file': tokenFile, portal, ca: caFile, tpm, endorsement, again, json } = parsed.values;
  if (parsed.positionals.length > 0) return usage('it takes options only.');
  const gateway = gatewayOf(portal, caFile);
  if (typeof gateway === 'number') return gateway;
  const file = ownDeviceFile();
  if (existsSync(file) && !again) {
    return refuse(`${file} is there: this machine is enrolled. Give --again to replace that.`);
  }
  let token: string | undefined;
  try {
    token =
      tokenFile === undefined ? undefined : readFileSync(tokenFile === '-' ? 0 : tokenFile, 'utf8').trim();
  } catch (error) {
    return refuse(`the token file cannot be read: ${describeSystemError(error, tokenFile) ?? tokenFile}`);
  }
  try {
    preparePlace(file);
    const { state, ...device } = await enrolDevice({
      portal: gateway.portal,
      agent: portalAgent(gateway.ca),
      tpm,
      ...(token === undefined ? {} : { token }),
      ...(endorsement === undefined ? {} : { endorsement }),
    });
    writeDevice(file, { ...device, ...(gateway.ca === undefined ? {} : { ca: gateway.ca }) });
    const next =
      state === 'approved'
        ? 'Now run: sallyport device agent'
        : 'An admin has to approve it before its proofs count.';
    const { device: id, name } = device;
    process.stdout.write(
      json
        ? `${JSON.stringify({ device: id, name, state })}\n`
        : `Enrolled as ${name} with the ${device.keys.endorsement} endorsement key. ${next}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    return explain('enrol', error);
  }
}

/** From the options, or from the person's sign-in. An exit code after a mistake was said. */
function gatewayOf(
  portal: string | undefined,
  caFile: string | undefined,
): { portal: string; ca?: string } | number {
  if (portal === undefined) {
    try {
      const credentials = readCredentials(credentialsFile(process.env), Date.now());
      return { portal: credentials.portal, ...(credentials.ca === undefined ? {} : { ca: credentials.ca }) };
    } catch (error) {
      if (!(error instanceof CredentialsError)) throw error;
      return usage('which portal? Give --portal https://…, or sign in with sallyport login first.');
    }
  }
  const url = URL.canParse(portal) ? new URL(portal) : undefined;
  if (url?.protocol !== 'https:')
    return usage('--portal is an https address, like https://access.example.com.');
  try {
    return { portal: url.origin, ...(caFile === undefined ? {} : { ca: readAuthority(caFile) }) };
  } catch (error) {
    if (!(error instanceof AuthorityFileError)) throw error;
    return usage(`${error.message}.`);
  }
}

function usage(message: string): number {
  process.stderr.write(`sallyport device enrol: ${message}\nTry: sallyport device enrol --help\n`);
  return EXIT.usage;
}

function refuse(message: string): number {
  process.stderr.write(`sallyport device enrol: ${message}\n`);
  return EXIT.no;
}
