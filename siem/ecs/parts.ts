// The field sets that several kinds of event share, and what of a request may be written down at all.
// Query values, referrer paths and credentials must never pass through here.
import { isIP } from 'node:net';
import type { Subject } from '#policy/input';
import type { Actor, CertificateRef, ConnectorRef, HttpRequest, Peer } from '../parties.ts';
import { type Fields, isoTime } from './document.ts';
import type { Related } from './mapping.ts';

const MAX_HOST = 255;
const MAX_TEXT = 1024;
const MAX_PATH = 4096;
const MAX_PARAMETERS = 32;
const MAX_PARAMETER_NAME = 64;
const REDACTED = 'REDACTED';

/** Shortens text a client controls, without cutting a surrogate pair in two. */
export function clip(text: string, max: number = MAX_TEXT): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

/** The address as ECS type `ip` accepts it: no zone, IPv4-mapped as IPv4; undefined if it is none. */
export function ipOf(address: string): string | undefined {
  let bare = address;
  const zone = bare.indexOf('%');
  if (zone !== -1) bare = bare.slice(0, zone);
  if (bare.startsWith('::ffff:') && isIP(bare.slice(7)) === 4) bare = bare.slice(7);
  return isIP(bare) === 0 ? undefined : bare;
}

/** `client`, `source`, `tls` and `network` of whoever is at the other end of a connection. */
export function peerFields(peer: Peer): Fields {
  const ip = ipOf(peer.address);
  // A socket that is gone has no address left.
  const known =
    peer.address !== '' || peer.port !== undefined || peer.asn !== undefined || isCountry(peer.country);
  const end = !known
    ? undefined
    : {
        address: peer.address === '' ? undefined : clip(ip ?? peer.address, MAX_HOST),
        ip,
        port: peer.port,
        geo: isCountry(peer.country) ? { country_iso_code: peer.country } : undefined,
        as: peer.asn === undefined ? undefined : { number: peer.asn },
      };
  return {
    client: end,
    source: end,
    network: { transport: 'tcp', type: ip === undefined ? undefined : isIP(ip) === 4 ? 'ipv4' : 'ipv6' },
    tls: tlsFields(peer),
  };
}

function isCountry(country: string | undefined): boolean {
  return country !== undefined && /^[A-Z]{2}$/.test(country);
}

function tlsFields({ tls }: Peer): Fields | undefined {
  if (tls === undefined) return undefined;
  const { version, cipher, serverName, certificateSha256 } = tls;
  const ends = serverName !== undefined || certificateSha256 !== undefined;
  if (version === undefined && cipher === undefined && !ends) return undefined;
  const client = {
    server_name: serverName === undefined ? undefined : clip(serverName, MAX_HOST),
    hash: certificateSha256 === undefined ? undefined : { sha256: fingerprint(certificateSha256) },
  };
  return {
    version: version?.replace(/^TLSv/, ''),
    version_protocol: version === undefined ? undefined : 'tls',
    cipher,
    client: ends ? client : undefined,
  };
}

/** Certificate fingerprints the way ECS writes them: upper-case hex without colons. */
function fingerprint(sha256: string): string {
  return sha256.replaceAll(':', '').toUpperCase();
}

/** `url`, `http`, `user_agent` of a request. */
export function requestFields(request: HttpRequest, response?: { status?: number | undefined }): Fields {
  return {
    url: {
      scheme: 'https',
      domain: clip(request.host, MAX_HOST),
      port: request.port,
      path: pathOf(request),
      query: request.query === undefined ? undefined : redactQuery(request.query),
    },
    http: {
      version: request.httpVersion,
      request: {
        method: clip(request.method, 64),
        referrer: originOf(request.referrer),
        body: request.bodyBytes === undefined ? undefined : { bytes: request.bodyBytes },
      },
      response: response?.status === undefined ? undefined : { status_code: response.status },
    },
    user_agent: userAgentFields(request.userAgent),
  };
}

export function pathOf(request: HttpRequest): string {
  return clip(request.path, MAX_PATH);
}

export function userAgentFields(userAgent: string | undefined): Fields | undefined {
  return userAgent === undefined ? undefined : { original: clip(userAgent) };
}

/** Keeps the names of a query's parameters and none of their values. A bare word may be a secret: it goes too. */
export function redactQuery(query: string): string {
  if (query === '') return '';
  const parameters = query.split('&', MAX_PARAMETERS + 1);
  const kept = parameters.slice(0, MAX_PARAMETERS).map((parameter) => {
    const equals = parameter.indexOf('=');
    if (equals === -1 || equals > MAX_PARAMETER_NAME) return REDACTED;
    return `${parameter.slice(0, equals)}=${REDACTED}`;
  });
  return parameters.length > MAX_PARAMETERS ? `${kept.join('&')}&…` : kept.join('&');
}

/** A raw request target with its query redacted and any fragment cut, for requests too broken to parse. */
export function redactTarget(target: string): string {
  const [beforeFragment = ''] = target.split('#', 1);
  const question = beforeFragment.indexOf('?');
  if (question === -1) return clip(withoutUserinfo(beforeFragment), MAX_PATH);
  const query = redactQuery(beforeFragment.slice(question + 1));
  return clip(`${withoutUserinfo(beforeFragment.slice(0, question))}?${query}`, MAX_PATH);
}

// Userinfo may hold a password, in an absolute-form target as in a Host field.
function withoutUserinfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, `$1${REDACTED}@`);
}

/** A host as sent, its port apart, without the userinfo some clients smuggle into it. */
export function hostAsSent(host: string): { readonly domain: string; readonly port?: number | undefined } {
  const at = host.lastIndexOf('@');
  const bare = at === -1 ? host : `${REDACTED}@${host.slice(at + 1)}`;
  const [, name, port] = /^([^:]+|\[[^\]]+\]):(\d{1,5})$/.exec(bare) ?? [];
  if (name === undefined || Number(port) > 65_535) return { domain: clip(bare, MAX_HOST) };
  return { domain: clip(name, MAX_HOST), port: Number(port) };
}

export function originOf(referrer: string | undefined): string | undefined {
  const origin = referrer === undefined ? undefined : URL.parse(referrer)?.origin;
  return origin === undefined || origin === 'null' ? undefined : clip(origin, MAX_HOST);
}

/** `user` of the person or service that acts. */
export function subjectFields(subject: Subject): Fields {
  return {
    user: {
      id: subject.id,
      name: subject.name,
      email: subject.email,
      roles: subject.roles.length === 0 ? undefined : subject.roles,
    },
  };
}

export function subjectName(subject: Subject | undefined): string {
  return subject === undefined ? 'somebody unknown' : (subject.email ?? subject.name ?? subject.id);
}

export function relatedUsers(subject: Subject | undefined): readonly (string | undefined)[] {
  return subject === undefined ? [] : [subject.id, subject.name, subject.email];
}

export function actorFields(by: Actor): Fields {
  return { kind: by.kind, id: by.id, name: by.name };
}

export function actorUser(by: Actor): Fields | undefined {
  return by.kind === 'gateway' ? undefined : { id: by.id, name: by.name };
}

export function connectorFields(connector: ConnectorRef | undefined, link?: string): Fields | undefined {
  if (connector === undefined) return undefined;
  return { name: clip(connector.name, MAX_HOST), version: connector.version, link };
}

export function certificateFields(certificate: CertificateRef | undefined): Fields | undefined {
  if (certificate === undefined) return undefined;
  return {
    serial: certificate.serial,
    sha256: certificate.sha256 === undefined ? undefined : fingerprint(certificate.sha256),
    not_after: isoTime(certificate.notAfter),
    key: certificate.key,
  };
}

/** `related`: each value once, without the missing ones. */
export function relatedFields(related: Related | undefined): Fields | undefined {
  if (related === undefined) return undefined;
  const fields = {
    ip: distinct(related.ip),
    user: distinct(related.user),
    hosts: distinct(related.hosts),
    hash: distinct(related.hash),
  };
  return (fields.ip ?? fields.user ?? fields.hosts ?? fields.hash) ? fields : undefined;
}

function distinct(values: readonly (string | undefined)[] | undefined): string[] | undefined {
  if (values === undefined) return undefined;
  const kept: string[] = [];
  for (const value of values) {
    if (value !== undefined && value !== '' && !kept.includes(value)) kept.push(value);
  }
  return kept.length === 0 ? undefined : kept;
}
