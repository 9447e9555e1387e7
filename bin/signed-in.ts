// For commands that act for the person signed in on this computer: their credentials, or one line why not.
import { existsSync } from 'node:fs';
import { ConnectError } from '#connectors/device/connect';
import {
  type Credentials,
  CredentialsError,
  credentialsFile,
  readCredentials,
} from '#connectors/device/credentials';
import { type DeviceState, deviceFile, KeyStoreError, readDevice } from '#connectors/device/key-store';
import { TpmError } from '#connectors/device/tpm/error';
import { portalAgent } from '#connectors/device/transport';
import { EXIT } from './exit.ts';

export interface SignedIn {
  readonly credentials: Credentials;
  /** This machine's enrolment, whose key proves each connection. */
  readonly device?: DeviceState;
  readonly agent: ReturnType<typeof portalAgent>;
}

/** The credentials kept on this computer, or undefined after it was said what is missing. */
export function signedIn(command: string): SignedIn | undefined {
  try {
    return readSignedIn();
  } catch (error) {
    explainRefusal(command, error);
    return undefined;
  }
}

/** The credentials as they are now. Throws CredentialsError, KeyStoreError. */
export function readSignedIn(): SignedIn {
  const credentials = readCredentials(credentialsFile(process.env), Date.now());
  const file = deviceFile(credentialsFile(process.env));
  const device = existsSync(file) ? { device: readDevice(file) } : {};
  return { credentials, ...device, agent: portalAgent(credentials.ca) };
}

/** One line on stderr for a connection that was not made; the exit code that goes with it. */
export function explainRefusal(command: string, error: unknown): number {
  const ours = [TpmError, CredentialsError, KeyStoreError].some((kind) => error instanceof kind);
  if (ours && error instanceof Error) {
    process.stderr.write(`sallyport ${command}: ${error.message}\n`);
    return EXIT.no;
  }
  if (!(error instanceof ConnectError)) throw error;
  const reference = error.reference === undefined ? '' : ` (reference ${error.reference})`;
  process.stderr.write(`sallyport ${command}: ${error.message}${reference}\n`);
  return EXIT.no;
}
