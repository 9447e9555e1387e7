// How the life of connectors reads in ECS. A name that no certificate proved is recorded as claimed, never as a user.
import type {
  ConnectorConnected,
  ConnectorDisconnected,
  ConnectorEnrolled,
  ConnectorEnrolmentRefused,
  ConnectorRefused,
  ConnectorRenewed,
  EnrolmentTokenCreated,
} from '../connector-event.ts';
import { isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import {
  actorFields,
  actorUser,
  certificateFields,
  clip,
  connectorFields,
  ipOf,
  peerFields,
} from './parts.ts';

function tokenCreated(event: EnrolmentTokenCreated): Mapping {
  return {
    action: 'enrolment-token-created',
    category: ['iam'],
    type: ['creation', 'admin'],
    outcome: 'success',
    message: clip(`${event.by.name ?? event.by.id} created an enrolment token for ${event.connector.name}`),
    fields: { user: actorUser(event.by) },
    own: {
      connector: connectorFields(event.connector),
      actor: actorFields(event.by),
      enrolment: { expires_at: isoTime(event.expiresAt) },
    },
    related: { user: [event.by.kind === 'gateway' ? undefined : event.by.id] },
  };
}

function enrolled(event: ConnectorEnrolled): Mapping {
  return {
    action: 'connector-enrolled',
    category: ['iam'],
    type: ['creation', 'admin'],
    outcome: 'success',
    message: clip(`Connector ${event.connector.name} enrolled`),
    fields: peerFields(event.client),
    own: {
      connector: connectorFields(event.connector),
      certificate: certificateFields(event.certificate),
    },
    related: { ip: [ipOf(event.client.address)] },
  };
}

function enrolmentRefused(event: ConnectorEnrolmentRefused): Mapping {
  return {
    action: 'connector-enrolment-refused',
    category: ['iam', 'network'],
    type: ['admin', 'denied'],
    outcome: 'failure',
    code: event.code,
    reason: event.code,
    message: clip(`The enrolment of ${event.connector?.name ?? 'a connector'} was refused: ${event.code}`),
    fields: peerFields(event.client),
    own: { connector: connectorFields(event.connector) },
    related: { ip: [ipOf(event.client.address)] },
  };
}

function renewed(event: ConnectorRenewed): Mapping {
  return {
    action: 'connector-renewed',
    category: ['iam'],
    type: ['change', 'admin'],
    outcome: 'success',
    message: clip(`Connector ${event.connector.name} renewed its certificate`),
    fields: peerFields(event.client),
    own: {
      connector: connectorFields(event.connector),
      certificate: { ...certificateFields(event.certificate), replaces: event.replaces?.serial },
    },
    related: { ip: [ipOf(event.client.address)] },
  };
}

function connected(event: ConnectorConnected): Mapping {
  const apps = event.apps === undefined || event.apps.length === 0 ? undefined : event.apps;
  return {
    action: 'connector-connected',
    category: ['network', 'session'],
    type: ['start', 'connection'],
    outcome: 'success',
    message: clip(`Connector ${event.connector.name} connected`),
    fields: peerFields(event.client),
    own: {
      connector: { ...connectorFields(event.connector, event.link), apps },
      certificate: certificateFields(event.certificate),
    },
    related: { ip: [ipOf(event.client.address)] },
  };
}

function disconnected(event: ConnectorDisconnected): Mapping {
  return {
    action: 'connector-disconnected',
    category: ['network', 'session'],
    type: ['end', 'connection'],
    outcome: 'success',
    code: event.code,
    reason: clip(event.reason),
    start: event.connectedAt,
    end: event.connectedAt + event.durationMs,
    durationMs: event.durationMs,
    message: clip(`Connector ${event.connector.name} disconnected: ${event.reason}`),
    fields: peerFields(event.client),
    own: { connector: { ...connectorFields(event.connector, event.link), streams_lost: event.streamsLost } },
    related: { ip: [ipOf(event.client.address)] },
  };
}

function refused(event: ConnectorRefused): Mapping {
  return {
    action: 'connector-refused',
    category: ['network'],
    type: ['denied', 'connection'],
    outcome: 'success',
    code: event.code,
    reason: event.code,
    message: clip(`${event.connector?.name ?? 'A connector'} was refused: ${event.code}`),
    fields: peerFields(event.client),
    own: {
      connector: connectorFields(event.connector),
      certificate: certificateFields(event.certificate),
    },
    related: { ip: [ipOf(event.client.address)] },
  };
}

export const connectorEntries: Entries<
  | 'enrolment-token-created'
  | 'connector-enrolled'
  | 'connector-enrolment-refused'
  | 'connector-renewed'
  | 'connector-connected'
  | 'connector-disconnected'
  | 'connector-refused'
> = {
  'enrolment-token-created': {
    about: 'An admin created a single-use token with which one connector may enrol.',
    dataset: 'sallyport.audit',
    map: tokenCreated,
  },
  'connector-enrolled': {
    about: 'A connector used its token and got its certificate; recorded durably before the answer.',
    dataset: 'sallyport.connector',
    map: enrolled,
  },
  'connector-enrolment-refused': {
    about: 'Somebody tried to enrol a connector with a token that is not valid, or with a bad request.',
    dataset: 'sallyport.connector',
    map: enrolmentRefused,
  },
  'connector-renewed': {
    about: 'A connector exchanged its certificate for a younger one.',
    dataset: 'sallyport.connector',
    map: renewed,
  },
  'connector-connected': {
    about: 'A connector proved its certificate and its tunnel is up.',
    dataset: 'sallyport.connector',
    map: connected,
  },
  'connector-disconnected': {
    about: 'The tunnel of a connector ended.',
    dataset: 'sallyport.connector',
    map: disconnected,
  },
  'connector-refused': {
    about: 'A connector was turned away: certificate missing, unknown or revoked, or protocol violated.',
    dataset: 'sallyport.connector',
    map: refused,
  },
};
