// What the subcommands on the machine share: its enrolment, its person's sign-in, and one line for what went wrong.
import type { Agent } from 'node:https';
import { CredentialsError, credentialsFile, readCredentials } from '#connectors/device/credentials';
import { EventLogError } from '#connectors/device/event-log';
import { type DeviceState, deviceFile, KeyStoreError, readDevice } from '#connectors/device/key-store';
import { PortalError } from '#connectors/device/portal';
import { TpmError } from '#connectors/device/tpm/error';
import { portalAgent } from '#connectors/device/transport';
import type { AttestationReply } from '#connectors/wire/evidence';
import { EvidenceError } from '#connectors/wire/evidence';
import { EXIT } from '../../exit.ts';
import { terminalLines } from '../../terminal-lines.ts';

export interface Machine {
  readonly device: DeviceState;
  readonly agent: Agent;
}

/** Where this user's enrolment lies. */
export function ownDeviceFile(): string {
  return deviceFile(credentialsFile(process.env));
}

/** @throws {KeyStoreError} */
export function thisMachine(): Machine {
  const device = readDevice(ownDeviceFile());
  return { device, agent: portalAgent(device.ca) };
}

/** The token of the person signed in at this machine's portal, if anybody is. */
export function ownToken(portal: string): string | undefined {
  try {
    const credentials = readCredentials(credentialsFile(process.env), Date.now());
    return credentials.portal === portal ? credentials.token : undefined;
  } catch (error) {
    if (error instanceof CredentialsError && error.code === 'not-signed-in') return undefined;
    throw error;
  }
}

/** One line on stderr, and the exit code that goes with it. */
export function explain(command: string, error: unknown): number {
  const known =
    error instanceof KeyStoreError ||
    error instanceof TpmError ||
    error instanceof PortalError ||
    error instanceof EventLogError ||
    error instanceof EvidenceError ||
    error instanceof CredentialsError;
  if (!known) throw error;
  process.stderr.write(`sallyport device ${command}: ${error.message}${advice(error)}\n`);
  return EXIT.no;
}

function advice(error: Error): string {
  return error instanceof TpmError && error.code === 'key-lost'
    ? '. Ask an admin to forget this device and for a new token; then run: sallyport device enrol --token-file FILE --again'
    : '';
}

/** What came of an attestation, for people. */
export function resultText({ status, expiresAt, reasons, bound }: AttestationReply): string {
  const until =
    status === 'contraindicated' ? '' : `, counts until ${new Date(expiresAt).toLocaleTimeString()}`;
  const lines = [`${status}${until}`];
  for (const { message, remedy, code } of reasons) lines.push(`  ${message} ${remedy} (${code})`);
  if (bound === true) lines.push('  Your sign-in is bound to this device.');
  if (bound === false)
    lines.push('  Your sign-in could not be bound: the device is not yours, or it is bound to another.');
  return terminalLines(lines);
}
