// How authorities and what they issue read in ECS.
import type {
  AuthorityChanged,
  CertificateIssued,
  CertificateRevoked,
  SshCertificateIssued,
  SshCertificateRefused,
} from '../pki-event.ts';
import { isoTime } from './document.ts';
import type { Entries, Mapping } from './mapping.ts';
import {
  actorFields,
  actorUser,
  certificateFields,
  clip,
  ipOf,
  peerFields,
  relatedUsers,
  subjectFields,
  subjectName,
} from './parts.ts';

const DONE: Readonly<Record<AuthorityChanged['change'], string>> = {
  issuing: 'issues with another intermediate',
  rotate: 'is to have another intermediate',
  request: 'asks for an intermediate',
  import: 'is given an intermediate',
  crl: 'is to publish its revocation lists',
};

function authorityChanged({ authority, change, certificate, by }: AuthorityChanged): Mapping {
  // Keys of SSH have no certificates.
  const done = `The authority ${authority} ${DONE[change]}`;
  return {
    action: 'authority-changed',
    category: ['configuration', 'iam'],
    type: ['change', 'admin'],
    outcome: 'success',
    code: change,
    message: clip(certificate === undefined ? done.replace(/intermediate$/, 'key') : done),
    fields: { user: actorUser(by) },
    own: {
      authority: { id: authority },
      certificate: certificateFields(certificate),
      actor: actorFields(by),
    },
    related: { user: [by.kind === 'gateway' ? undefined : by.id] },
  };
}

function certificateIssued(event: CertificateIssued): Mapping {
  const { use, holder, certificate, grant, client } = event;
  return {
    action: 'certificate-issued',
    category: ['iam'],
    type: [grant === 'renewal' ? 'change' : 'creation'],
    outcome: 'success',
    code: grant,
    message: clip(`${holder} got a certificate (${use})`),
    fields: peerFields(client),
    own: { certificate: { ...certificateFields(certificate), use, holder: clip(holder) } },
    related: { ip: [ipOf(client.address)] },
  };
}

function certificateRevoked({ holder, certificate, by, reason }: CertificateRevoked): Mapping {
  return {
    action: 'certificate-revoked',
    category: ['iam'],
    type: ['deletion', 'admin'],
    outcome: 'success',
    reason,
    message: clip(`${by.name ?? by.id} revoked the certificate ${certificate.serial} of ${holder}`),
    fields: { user: actorUser(by) },
    own: {
      certificate: { ...certificateFields(certificate), holder: clip(holder) },
      actor: actorFields(by),
    },
    related: { user: [by.kind === 'gateway' ? undefined : by.id] },
  };
}

function sshCertificateIssued(event: SshCertificateIssued): Mapping {
  const { subject, app, serial, keyId, principals, key, authority, notAfter, client } = event;
  return {
    action: 'ssh-certificate-issued',
    category: ['iam'],
    type: ['creation'],
    outcome: 'success',
    message: clip(
      `${subjectName(subject)} got an SSH certificate for ${principals.join(', ')} at ${app} until ${isoTime(notAfter)}`,
    ),
    fields: { ...peerFields(client), ...subjectFields(subject), trace: { id: event.traceId } },
    own: {
      app: { id: app },
      session: { id: event.session },
      decision: { id: event.decisionId },
      certificate: {
        ...{ use: 'ssh', serial, holder: clip(keyId), principals, key_fingerprint: key, authority },
        not_after: isoTime(notAfter),
      },
    },
    related: { ip: [ipOf(client.address)], user: relatedUsers(subject) },
  };
}

function sshCertificateRefused(event: SshCertificateRefused): Mapping {
  const { code, reason, subject, session, client } = event;
  return {
    action: 'ssh-certificate-refused',
    category: ['authentication'],
    type: ['start'],
    outcome: 'failure',
    code,
    reason: clip(reason),
    message: clip(`${subjectName(subject)} got no SSH certificate: ${reason}`),
    fields: { ...peerFields(client), ...subjectFields(subject), trace: { id: event.traceId } },
    own: { session: { id: session }, certificate: { use: 'ssh' } },
    related: { ip: [ipOf(client.address)], user: relatedUsers(subject) },
  };
}

export const pkiEntries: Entries<
  | 'authority-changed'
  | 'certificate-issued'
  | 'certificate-revoked'
  | 'ssh-certificate-issued'
  | 'ssh-certificate-refused'
> = {
  'authority-changed': {
    about:
      'An authority’s intermediate changes, or an admin asked for that; the latter recorded before it is done.',
    dataset: 'sallyport.audit',
    map: authorityChanged,
  },
  'certificate-issued': {
    about: 'A service got a certificate; recorded durably before the answer.',
    dataset: 'sallyport.audit',
    map: certificateIssued,
  },
  'certificate-revoked': {
    about: 'Somebody revoked one certificate; recorded durably before it is done.',
    dataset: 'sallyport.audit',
    map: certificateRevoked,
  },
  'ssh-certificate-issued': {
    about:
      'A person gets an SSH certificate; recorded durably before they have it. sshd logs its serial and key id.',
    dataset: 'sallyport.audit',
    map: sshCertificateIssued,
  },
  'ssh-certificate-refused': {
    about:
      'Somebody signed in asked for an SSH certificate that nobody gets: for such a key, or without an account.',
    dataset: 'sallyport.audit',
    map: sshCertificateRefused,
  },
};
