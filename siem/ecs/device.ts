// How the life of devices reads in ECS, from the token to the end, and that of the baselines they are compared with.
import type {
  BaselineApproved,
  BaselineLearnt,
  BaselineRemoved,
  DeviceApproved,
  DeviceEnrolled,
  DeviceEnrolmentRefused,
  DeviceForgotten,
  DeviceRef,
  DeviceRevoked,
  DeviceTokenCreated,
} from '../device-event.ts';
import { type Fields, isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import { actorFields, actorUser, clip, connectorFields, ipOf, peerFields } from './parts.ts';

const MAX_ID = 255;

export function called(device: DeviceRef | undefined): string {
  return device === undefined ? 'a device' : clip(device.name ?? device.id, MAX_ID);
}

export function deviceId(device: DeviceRef | undefined): Fields | undefined {
  return device === undefined ? undefined : { id: clip(device.id, MAX_ID) };
}

export function deviceName(device: DeviceRef | undefined): string | undefined {
  return device?.name === undefined ? undefined : clip(device.name, MAX_ID);
}

/** For documents that say nothing else of it. */
function named(device: DeviceRef | undefined): Fields | undefined {
  return device?.name === undefined ? undefined : { name: deviceName(device) };
}

function tokenCreated(event: DeviceTokenCreated): Mapping {
  return {
    action: event.kind,
    category: ['iam'],
    type: ['creation', 'admin'],
    outcome: 'success',
    message: clip(`${event.by.name ?? event.by.id} permitted the device ${event.name} to enrol`),
    fields: { user: actorUser(event.by) },
    own: {
      device: { name: clip(event.name, MAX_ID), owner: event.owner },
      connector: connectorFields(event.connector),
      actor: actorFields(event.by),
      enrolment: { expires_at: isoTime(event.expiresAt) },
    },
    related: { user: [event.by.kind === 'gateway' ? undefined : event.by.id, event.owner] },
  };
}

function enrolled(event: DeviceEnrolled): Mapping {
  return {
    action: event.kind,
    category: ['iam'],
    type: ['creation', 'admin'],
    outcome: 'success',
    message: clip(`The device ${called(event.device)} enrolled with its TPM; it is ${event.state}`),
    fields: {
      ...peerFields(event.client),
      device: {
        ...deviceId(event.device),
        manufacturer: event.manufacturer,
        model: event.model === undefined ? undefined : { name: clip(event.model, MAX_ID) },
      },
    },
    own: {
      device: { name: deviceName(event.device), state: event.state, ek_name: event.ekName },
      connector: connectorFields(event.connector),
    },
    related: { ip: [ipOf(event.client.address)], hash: [event.ekName] },
  };
}

function enrolmentRefused(event: DeviceEnrolmentRefused): Mapping {
  return {
    action: event.kind,
    category: ['iam', 'network'],
    type: ['admin', 'denied'],
    outcome: 'failure',
    code: event.code,
    reason: event.code,
    message: clip(`${called(event.device)} could not enrol: ${event.code}`),
    fields: { ...peerFields(event.client), device: deviceId(event.device) },
    own: { device: named(event.device) },
    related: { ip: [ipOf(event.client.address)] },
  };
}

/** What an admin did with a device. */
function administered(
  event: DeviceApproved | DeviceRevoked | DeviceForgotten,
  type: 'allowed' | 'deletion' | 'change',
  did: string,
): Mapping {
  return {
    action: event.kind,
    category: ['iam'],
    type: type === 'allowed' ? ['change', 'admin'] : [type, 'admin'],
    outcome: 'success',
    message: clip(`${event.by.name ?? event.by.id} ${did} the device ${called(event.device)}`),
    fields: { user: actorUser(event.by), device: deviceId(event.device) },
    own: { device: named(event.device), actor: actorFields(event.by) },
    related: { user: [event.by.kind === 'gateway' ? undefined : event.by.id] },
  };
}

function baseline(event: BaselineLearnt | BaselineApproved | BaselineRemoved, did: string): Mapping {
  const device = event.kind === 'baseline-learnt' ? event.device : undefined;
  return {
    action: event.kind,
    category: ['configuration'],
    type: [
      event.kind === 'baseline-learnt'
        ? 'creation'
        : event.kind === 'baseline-removed'
          ? 'deletion'
          : 'change',
    ],
    outcome: 'success',
    message: clip(`${event.by.name ?? event.by.id} ${did} a baseline for ${event.model}`),
    fields: { user: actorUser(event.by), device: deviceId(device) },
    own: {
      device: named(device),
      baseline: { id: clip(event.baseline, MAX_ID), model: clip(event.model, MAX_ID) },
      actor: actorFields(event.by),
    },
    related: { user: [event.by.kind === 'gateway' ? undefined : event.by.id] },
  };
}

export const deviceEntries: Entries<
  | 'device-token-created'
  | 'device-enrolled'
  | 'device-enrolment-refused'
  | 'device-approved'
  | 'device-revoked'
  | 'device-forgotten'
  | 'baseline-learnt'
  | 'baseline-approved'
  | 'baseline-removed'
> = {
  'device-token-created': {
    about: 'An admin created a single-use token with which one device may enrol.',
    dataset: 'sallyport.audit',
    map: tokenCreated,
  },
  'device-enrolled': {
    about: 'A TPM proved the keys it showed and is known from now on; recorded durably before the answer.',
    dataset: 'sallyport.device',
    map: enrolled,
  },
  'device-enrolment-refused': {
    about: 'Somebody tried to enrol a device with a token that is not valid, or a TPM that is not trusted.',
    dataset: 'sallyport.device',
    map: enrolmentRefused,
  },
  'device-approved': {
    about: 'An admin approved a device that had enrolled.',
    dataset: 'sallyport.audit',
    map: (event) => administered(event, 'allowed', 'approved'),
  },
  'device-revoked': {
    about: 'An admin revoked a device; what it had open is closed.',
    dataset: 'sallyport.audit',
    map: (event) => administered(event, 'change', 'revoked'),
  },
  'device-forgotten': {
    about: 'An admin freed the TPM and the name of a device for a new enrolment.',
    dataset: 'sallyport.audit',
    map: (event) => administered(event, 'deletion', 'forgot'),
  },
  'baseline-learnt': {
    about: 'An admin took reference values from a device; they do not count yet.',
    dataset: 'sallyport.audit',
    map: (event) => baseline(event, 'learnt'),
  },
  'baseline-approved': {
    about: 'An admin approved reference values: devices of that model are compared with them.',
    dataset: 'sallyport.audit',
    map: (event) => baseline(event, 'approved'),
  },
  'baseline-removed': {
    about: 'An admin removed reference values.',
    dataset: 'sallyport.audit',
    map: (event) => baseline(event, 'removed'),
  },
};
