// How attestation, and the sessions bound to devices, read in ECS. A device that was only claimed is never trusted.
import type {
  DeviceAttested,
  DeviceEvidenceRefused,
  DevicePostureFailed,
  DeviceSessionBound,
  DeviceSessionRefused,
} from '../device-event.ts';
import { called, deviceId, deviceName } from './device.ts';
import { type Fields, isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import {
  clip,
  connectorFields,
  ipOf,
  peerFields,
  relatedUsers,
  subjectFields,
  subjectName,
} from './parts.ts';

const MAX_REASONS = 20;
const MAX_ID = 255;

/** Codes that say somebody used evidence, or a proof, that is not theirs. */
const STOLEN: ReadonlySet<string> = new Set([
  'relayed-channel',
  'relayed-key',
  'relayed-connector',
  'connector-other',
  'connector-unbound',
  'device-of-connector',
  'signer-other',
  'quote-replayed',
  'log-swapped',
  'other-person',
  'other-network',
  'proof-replayed',
  'proof-invalid',
]);

const codes = (reasons: readonly string[]): string[] | undefined =>
  reasons.length === 0 ? undefined : reasons.slice(0, MAX_REASONS).map((one) => clip(one, MAX_ID));

function machine({ device, connector }: Pick<DeviceAttested, 'device' | 'connector'>): string {
  if (connector === undefined) return `The device ${called(device)}`;
  return `The machine ${called(device)} of the connector ${clip(connector.name, MAX_ID)}`;
}

function attested(event: DeviceAttested): Mapping {
  const good = event.status === 'affirming' || event.status === 'warning';
  return {
    action: event.kind,
    category: ['host'],
    type: ['info'],
    outcome: good ? 'success' : 'failure',
    code: event.reasons[0] === undefined ? undefined : clip(event.reasons[0], MAX_ID),
    reason: event.reasons[0] === undefined ? undefined : clip(event.reasons[0]),
    message: clip(`${machine(event)} attested: ${event.status}`),
    fields: { ...holderFields(event), device: deviceId(event.device) },
    own: {
      device: {
        name: deviceName(event.device),
        status: event.status,
        reasons: codes(event.reasons),
        boot: event.boot,
        expires_at: isoTime(event.expiresAt),
      },
      connector: connectorFields(event.connector),
      session: event.session === undefined ? undefined : { id: event.session },
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function postureFailed(event: DevicePostureFailed): Mapping {
  return {
    action: event.kind,
    kind: 'alert',
    severity: 73,
    category: ['host', 'intrusion_detection'],
    type: ['info'],
    outcome: 'success',
    code: event.reasons[0] === undefined ? undefined : clip(event.reasons[0], MAX_ID),
    reason: clip(event.message),
    message: clip(`${machine(event)} is no longer well: ${event.message}`),
    fields: { ...holderFields(event), device: deviceId(event.device) },
    own: {
      device: { name: deviceName(event.device), status: event.status, reasons: codes(event.reasons) },
      connector: connectorFields(event.connector),
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function evidenceRefused(event: DeviceEvidenceRefused): Mapping {
  return {
    action: event.kind,
    ...alertFor(event.code),
    category: ['host', 'intrusion_detection'],
    type: ['info'],
    outcome: 'failure',
    code: clip(event.code, MAX_ID),
    reason: clip(event.code),
    message: clip(`Evidence that names the device ${called(event.device)} was refused: ${event.code}`),
    fields: { ...holderFields(event), device: deviceId(event.device) },
    own: {
      device: { name: deviceName(event.device), reasons: codes(event.reasons) },
      connector: connectorFields(event.connector),
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function sessionBound(event: DeviceSessionBound): Mapping {
  return {
    action: event.kind,
    category: ['session', 'authentication'],
    type: ['start'],
    outcome: 'success',
    message: clip(`A ${event.channel} of ${subjectName(event.subject)} is bound to ${called(event.device)}`),
    fields: { ...holderFields(event), device: deviceId(event.device) },
    own: {
      device: { name: deviceName(event.device), channel: event.channel, key: event.key },
      session: { id: event.session },
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject), hash: [event.key] },
  };
}

function sessionRefused(event: DeviceSessionRefused): Mapping {
  return {
    action: event.kind,
    ...alertFor(event.code),
    category: ['session', 'authentication'],
    type: ['start'],
    outcome: 'failure',
    code: clip(event.code, MAX_ID),
    reason: clip(event.code),
    message: clip(
      `A ${event.channel} of ${subjectName(event.subject)} was not bound to ${called(event.device)}: ${event.code}`,
    ),
    fields: { ...holderFields(event), device: deviceId(event.device) },
    own: {
      device: { name: deviceName(event.device), channel: event.channel },
      session: event.session === undefined ? undefined : { id: event.session },
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function alertFor(code: string): Pick<Mapping, 'kind' | 'severity'> {
  return STOLEN.has(code) ? { kind: 'alert', severity: 73 } : {};
}

function holderFields({ client, subject }: Pick<DeviceAttested, 'client' | 'subject'>): Fields {
  return { ...peerFields(client), ...(subject === undefined ? {} : subjectFields(subject)) };
}

export const attestationEntries: Entries<
  | 'device-attested'
  | 'device-posture-failed'
  | 'device-evidence-refused'
  | 'device-session-bound'
  | 'device-session-refused'
> = {
  'device-attested': {
    about: 'A device proved how it booted; what came of it is in `sallyport.device.status`.',
    dataset: 'sallyport.device',
    map: attested,
  },
  'device-posture-failed': {
    about:
      'A device proved that it is no longer well, or a connector’s machine stopped proving that it is; what it had open and may no longer have is closed.',
    dataset: 'sallyport.device',
    map: postureFailed,
  },
  'device-evidence-refused': {
    about: 'Evidence was replayed, relayed, forged or malformed. An alert where it was somebody else’s.',
    dataset: 'sallyport.device',
    map: evidenceRefused,
  },
  'device-session-bound': {
    about: 'A browser or command line proved that it is on an attested device.',
    dataset: 'sallyport.device',
    map: sessionBound,
  },
  'device-session-refused': {
    about: 'A browser or command line did not prove the device it needs. An alert where a proof was misused.',
    dataset: 'sallyport.device',
    map: sessionRefused,
  },
};
