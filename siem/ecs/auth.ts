// How sign-ins and sessions read in ECS. Sessions are named by their handle, never by what the browser holds.
import type {
  AccessRevoked,
  LoginFailed,
  LoginSucceeded,
  Logout,
  SessionEnded,
  SessionRevoked,
} from '../session-event.ts';
import { type Fields, isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import {
  actorFields,
  clip,
  ipOf,
  peerFields,
  relatedUsers,
  subjectFields,
  subjectName,
  userAgentFields,
} from './parts.ts';

function loginSucceeded(event: LoginSucceeded): Mapping {
  return {
    action: event.stepUp === true ? 'step-up-succeeded' : 'login-succeeded',
    category: ['authentication', 'session'],
    type: ['start'],
    outcome: 'success',
    message: clip(`${subjectName(event.subject)} signed in with ${event.login.provider}`),
    fields: {
      ...peerFields(event.client),
      ...subjectFields(event.subject),
      user_agent: userAgentFields(event.userAgent),
    },
    own: {
      session: { id: event.session },
      login: loginFields(event.login),
    },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function loginFields(login: LoginSucceeded['login']): Fields {
  return {
    provider: login.provider,
    mfa_at: isoTime(login.mfaAt),
    amr: login.amr === undefined || login.amr.length === 0 ? undefined : login.amr,
    acr: login.acr,
  };
}

function loginFailed(event: LoginFailed): Mapping {
  return {
    action: 'login-failed',
    category: ['authentication'],
    type: ['start'],
    outcome: 'failure',
    code: event.code,
    reason: event.code,
    message: clip(`A sign-in of ${subjectName(event.subject)} failed: ${event.code}`),
    fields: {
      ...peerFields(event.client),
      ...(event.subject === undefined ? {} : subjectFields(event.subject)),
      user_agent: userAgentFields(event.userAgent),
    },
    own: event.provider === undefined ? {} : { login: { provider: clip(event.provider, 255) } },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function logout(event: Logout): Mapping {
  return {
    action: 'logout',
    category: ['authentication', 'session'],
    type: ['end'],
    outcome: 'success',
    message: clip(`${subjectName(event.subject)} signed out`),
    fields: { ...peerFields(event.client), ...subjectFields(event.subject) },
    own: { session: { id: event.session } },
    related: { ip: [ipOf(event.client.address)], user: relatedUsers(event.subject) },
  };
}

function sessionEnded(event: SessionEnded): Mapping {
  return {
    action: 'session-ended',
    category: ['session'],
    type: ['end'],
    outcome: 'success',
    code: event.cause,
    reason: event.cause,
    message: clip(`The session of ${subjectName(event.subject)} ended: ${event.cause}`),
    fields: subjectFields(event.subject),
    own: { session: { id: event.session } },
    related: { user: relatedUsers(event.subject) },
  };
}

function sessionRevoked(event: SessionRevoked): Mapping {
  return {
    action: 'session-revoked',
    category: ['session', 'iam'],
    type: ['end', 'admin'],
    outcome: 'success',
    reason: event.reason === undefined ? undefined : clip(event.reason),
    message: clip(`${event.by.name ?? event.by.id} revoked the session of ${subjectName(event.subject)}`),
    fields: subjectFields(event.subject),
    own: {
      session: { id: event.session },
      actor: actorFields(event.by),
      revocation:
        event.enforceMs === undefined && event.streamsClosed === undefined
          ? undefined
          : { enforce_ms: event.enforceMs, streams_closed: event.streamsClosed },
    },
    related: { user: [...relatedUsers(event.subject), event.by.id] },
  };
}

function accessRevoked(event: AccessRevoked): Mapping {
  const { kind, id } = event.target;
  return {
    action: 'access-revoked',
    category: ['iam'],
    type: ['admin', 'deletion'],
    outcome: 'success',
    reason: event.reason === undefined ? undefined : clip(event.reason),
    message: clip(`${event.by.name ?? event.by.id} revoked the ${kind} ${id}`),
    fields: event.subject === undefined ? {} : subjectFields(event.subject),
    own: {
      actor: actorFields(event.by),
      revocation: {
        target: { kind, id: clip(id) },
        sessions: event.sessions,
        streams_closed: event.streams,
      },
    },
    related: {
      user: [...(kind === 'person' ? [id] : []), ...relatedUsers(event.subject), event.by.id],
    },
  };
}

export const authEntries: Entries<
  'login-succeeded' | 'login-failed' | 'logout' | 'session-ended' | 'session-revoked' | 'access-revoked'
> = {
  'login-succeeded': {
    about: 'A person signed in, or stepped up, with a provider.',
    dataset: 'sallyport.auth',
    map: loginSucceeded,
  },
  'login-failed': {
    about: 'A sign-in came back from a provider and was not accepted.',
    dataset: 'sallyport.auth',
    map: loginFailed,
  },
  logout: { about: 'A person signed out.', dataset: 'sallyport.auth', map: logout },
  'session-ended': {
    about: 'A session ended without its person signing out.',
    dataset: 'sallyport.session',
    map: sessionEnded,
  },
  'session-revoked': {
    about: 'Somebody revoked a session; recorded durably before the answer.',
    dataset: 'sallyport.session',
    map: sessionRevoked,
  },
  'access-revoked': {
    about:
      'Somebody took away the access of a person, a device, a service or a connector; recorded durably before the answer.',
    dataset: 'sallyport.session',
    map: accessRevoked,
  },
};
