// Enrolment and attestation of this machine, as its gateway asks for them (docs/attestation.md).
import type { Agent } from 'node:https';
import type { AttestationReply, ChallengeReply, ConnectorIdentity, EnrolReply } from '../wire/evidence.ts';
import { DEVICE_PATHS } from '../wire/evidence.ts';
import {
  decodeAttestationReply,
  decodeChallengeReply,
  decodeEnrolChallenge,
  decodeEnrolReply,
} from '../wire/evidence-decoder.ts';
import { attest, introduce, openCredential } from './attester.ts';
import { readEventLog } from './event-log.ts';
import type { DeviceState } from './key-store.ts';
import { askPortal, callPortal } from './portal.ts';
import { provenHeaders } from './proof.ts';

export interface Enrolling {
  /** The portal's origin, or that of the listener for connectors. */
  readonly portal: string;
  readonly agent: Agent;
  /** As given to `openTpm`. */
  readonly tpm: string;
  /** Absent where an admin announced this very TPM. */
  readonly token?: string;
  /** The kind of endorsement key, if not the TPM's first. */
  readonly endorsement?: string;
}

/** Makes keys in the TPM and has them enrolled. @throws {PortalError} {TpmError} {EvidenceError} */
export async function enrolDevice(
  enrolling: Enrolling,
): Promise<Omit<DeviceState, 'ca'> & Pick<EnrolReply, 'state'>> {
  const { portal, agent, tpm, token } = enrolling;
  const { keys, ...introduction } = await introduce(tpm, enrolling.endorsement);
  const request = { ...introduction, ...(token === undefined ? {} : { token }) };
  const offered = await callPortal({ portal, agent, step: 'enrol' }, () => request);
  const challenge = decodeEnrolChallenge(offered);
  const secret = await openCredential(tpm, keys, challenge);
  const answer = { enrolment: challenge.enrolment, secret };
  const enrolled = decodeEnrolReply(await callPortal({ portal, agent, step: 'activate' }, () => answer));
  return { ...enrolled, portal, tpm, keys };
}

export interface Attesting {
  readonly device: DeviceState;
  readonly agent: Agent;
  /** The path of the firmware's log. */
  readonly eventLog: string;
  /** The token of the person's sign-in, to be bound to this device. */
  readonly token?: string;
  /** The loopback port on which browsers are answered. */
  readonly port?: number;
  /** Where it is a connector's machine: whose certificate `agent` shows. */
  readonly connector?: ConnectorIdentity;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Clocks may be this far apart before the gateway's counts; it says it in whole seconds. */
const SAME_TIME = 5_000;

/** Proves this machine's state. `expiresAt` of the result is by this machine's clock. @throws {PortalError} {TpmError} {EventLogError} {EvidenceError} */
export async function attestDevice(attesting: Attesting): Promise<AttestationReply> {
  const { device, agent, token, port, connector, now } = attesting;
  const eventLog = readEventLog(attesting.eventLog);
  const call = { portal: device.portal, agent };
  const asked = await callPortal({ ...call, step: 'challenge' }, () => ({ device: device.device }));
  const { nonce }: ChallengeReply = decodeChallengeReply(asked);
  const url = new URL(DEVICE_PATHS.attest, device.portal).href;
  const headers =
    token === undefined ? {} : await provenHeaders(device, { method: 'POST', url, token }, now());
  // The challenge stands in the address too: nobody else may bring as much as an event log.
  const query = `?challenge=${nonce.toString('base64url')}${port === undefined ? '' : `&agent=${port}`}`;
  const { body, at } = await askPortal({ ...call, step: 'attest', query, headers }, async (exporter) => ({
    device: device.device,
    ...(await attest(device.tpm, device.keys, { nonce, eventLog, exporter, connector })),
  }));
  const result = decodeAttestationReply(body);
  const ahead = at - now();
  return Math.abs(ahead) > SAME_TIME ? { ...result, expiresAt: result.expiresAt - ahead } : result;
}
