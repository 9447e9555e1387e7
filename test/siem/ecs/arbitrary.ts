// Events filled at their boundaries: optional parts missing, text hostile, long, or broken Unicode; numbers at ends.
import fc, { type Arbitrary } from 'fast-check';
import type { EventKind, EventOf } from '#siem/event';
import { examples } from './examples.ts';

const hostile = fc.constantFrom(
  '',
  '\r\n{"event":{"kind":"alert"}}\r\n',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u2028\u2029\u0085',
  '\ud800',
  'a\udfff',
  '\\ud800',
  '\u202egnp.exe',
  '"},{"',
  '\u0024{jndi:ldap://x}',
  '%',
  '::ffff:192.0.2.1',
  'fe80::1%eth0',
  'x'.repeat(10_000),
  '😀'.repeat(3_000),
);
const text = fc.oneof(hostile, fc.string({ unit: 'binary', maxLength: 40 }), fc.ipV4(), fc.ipV6());
const natural = fc.constantFrom(0, 1, 2 ** 31, 2 ** 32, 8_000_000_000_000);

/** Members whose text is given by us, not by a client: the mapper may rely on their form. */
const CLOSED = new Set([
  'kind',
  'verdict',
  'effect',
  'reason',
  'cause',
  'log',
  'protocol',
  'would',
  'version',
]);

/** Variants of the full example: any part left out where its kind allows, any text and number replaced. */
export function eventOf<K extends EventKind>(kind: K): Arbitrary<EventOf<K>> {
  return vary(examples[kind], kind) as Arbitrary<EventOf<K>>;
}

function vary(value: unknown, name: string): Arbitrary<unknown> {
  if (Array.isArray(value)) {
    const members = value.map((member) => vary(member, name));
    return members.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...members), { maxLength: 3 });
  }
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value);
    const record = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, vary(member, key)]));
    return fc.record(record, {
      requiredKeys: names.filter((key) => !OPTIONAL.has(key) || NEEDED.has(`${name}.${key}`)),
    });
  }
  if (typeof value === 'string')
    return CLOSED.has(name) ? fc.constant(value) : fc.oneof(fc.constant(value), text);
  if (typeof value === 'number')
    return name === 'version' ? fc.constant(value) : fc.oneof(fc.constant(value), natural);
  return fc.constant(value);
}

/** Everything that some kind may leave out, and that no kind needs under the same name. */
const OPTIONAL = new Set([
  ...['explanation', 'request', 'session', 'traceId', 'connector', 'status', 'shadow', 'device', 'login'],
  ...['port', 'country', 'asn', 'tls', 'cipher', 'serverName', 'ja4', 'certificateSha256', 'query'],
  ...['httpVersion', 'userAgent', 'referrer', 'bodyBytes', 'host', 'method', 'target', 'mfaAt', 'amr', 'acr'],
  ...['stepUp', 'provider', 'enforceMs', 'streamsClosed', 'replaces', 'link', 'apps', 'previousHash', 'hash'],
  ...['keptHash', 'configHash', 'policyHash', 'timezones', 'connectors', 'sessions', 'sha256', 'notAfter'],
  ...['owner', 'model', 'manufacturer', 'ekName', 'boot', 'subject'],
  ...['acting', 'scope', 'email', 'maxAge', 'phishingResistant', 'secureBoot', 'attested'],
]);

/** Where a name of OPTIONAL is required after all. */
const NEEDED = new Set([
  'change.subject',
  'admin-action-ended.status',
  ...[
    'access-decided.policyHash',
    'input.target',
    'request.host',
    'request.method',
    'request-refused.status',
  ],
  ...['login-succeeded.login', 'login-succeeded.session', 'login.provider', 'logout.session'],
  ...['access-revoked.target', 'access-revoked.sessions'],
  ...['session-ended.session', 'session-revoked.session', 'enrolment-token-created.connector'],
  ...['connector-enrolled.connector', 'connector-renewed.connector', 'connector-connected.connector'],
  ...['connector-disconnected.connector', 'policy-loaded.hash'],
  ...['device-enrolled.device', 'device-approved.device', 'device-revoked.device', 'device-forgotten.device'],
  ...['device-attested.device', 'device-attested.status', 'device-posture-failed.device'],
  ...['device-posture-failed.status', 'device-evidence-refused.device', 'device-session-bound.device'],
  ...['device-session-bound.session', 'device-session-bound.subject', 'baseline-learnt.device'],
  ...[
    'baseline-learnt.model',
    'baseline-approved.model',
    'baseline-removed.model',
    'login-succeeded.subject',
  ],
  ...['ssh-certificate-issued.subject', 'ssh-certificate-issued.session', 'ssh-certificate-issued.traceId'],
  ...['ssh-certificate-issued.notAfter'],
  ...[
    'ssh-certificate-refused.subject',
    'ssh-certificate-refused.session',
    'ssh-certificate-refused.traceId',
  ],
  ...['token-exchanged.session', 'token-exchanged.traceId', 'token-exchange-refused.traceId'],
  ...['logout.subject', 'session-ended.subject', 'session-revoked.subject', 'input.subject'],
]);
