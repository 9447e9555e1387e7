// Who dials the connectors' listener, by the certificate shown: a connector, another gateway of this installation, or nobody.
import { hash, type X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { parseCertificate } from '#gateway/attest/certificate';
import { connectorOf, type EnrolmentDesk, serviceOf } from '#gateway/pki/enrolment';
import type { Authority } from '#gateway/pki/issued';
import { keyOriginOf } from '#gateway/pki/key-origin';
import { gatewayOf } from '#gateway/relay/peers';
import type { ConnectorRefused } from '#siem/connector-event';
import type { CertificateRef, Peer } from '#siem/parties';
import { canonicalAddress } from './address.ts';

export interface CertificateParts {
  readonly desk: EnrolmentDesk;
  readonly authority: Authority;
  readonly trustDomain: string;
  /** True for a certificate that was revoked. `serial`: hex. It may throw where that is not known. */
  revoked?(serial: string): boolean;
}

/** What a refusal means, where its code says more than the address that was asked. */
export const MEANS: Readonly<Record<string, string>> = {
  'certificate-expired': 'The certificate has ended: it takes another token to enrol again.',
  'certificate-revoked': 'The certificate was revoked: it takes another token to enrol again.',
};

/** A connector whose certificate was verified. */
export interface KnownConnector {
  readonly name: string;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, hex. */
  readonly key: string;
  readonly certificate: CertificateRef;
  readonly client: Peer;
}

/**
 * Who dials, by a certificate that our authority issued, that has not run out and is still admitted; or why not.
 * `services`: those too, by their names for enrolment.
 */
export async function identify(
  request: IncomingMessage,
  handlers: CertificateParts,
  services = false,
): Promise<KnownConnector | ConnectorRefused> {
  const socket = request.socket as TLSSocket;
  const client = clientOf(request);
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'connector-refused', code: 'certificate-missing', client };
  const why: unknown = socket.authorizationError;
  const { authorized } = socket;
  return identifyCertificate(
    { certificate, client, authorized, ended: why === 'CERT_HAS_EXPIRED' },
    handlers,
    services,
  );
}

/** A certificate, and how it came. */
export interface ShownCertificate {
  readonly certificate: X509Certificate;
  /** What it came with, if not by the connection. */
  readonly issuer?: X509Certificate | undefined;
  readonly client: Peer;
  /** Whether its key was proved and, if by TLS, the chain held. */
  readonly authorized: boolean;
  /** What is wrong may be that it has ended. */
  readonly ended: boolean;
}

/** The same by a certificate whose key was proved otherwise. */
export async function identifyCertificate(
  { certificate, issuer, client, authorized, ended }: ShownCertificate,
  handlers: CertificateParts,
  services: boolean,
): Promise<KnownConnector | ConnectorRefused> {
  const refused = (code: string, more: Partial<ConnectorRefused> = {}): ConnectorRefused => ({
    ...{ kind: 'connector-refused', code, client, ...more },
  });
  const { authority } = handlers;
  const { subjectAltName, serialNumber: serial } = certificate;
  const service = services ? serviceOf(subjectAltName, handlers.trustDomain) : undefined;
  const name = service ?? connectorOf(subjectAltName, handlers.trustDomain);
  const shown = { certificate: refOf(certificate), ...(name === undefined ? {} : { connector: { name } }) };
  // TLS says whether the chain held; the authority is asked again because Node's verdict is one boolean.
  if (!authorized || !authority.vouchesFor(certificate, issuer)) {
    // Only of what was ours it is said whose it was: it was good to its end, which has passed.
    return ended && authority.vouchedFor(certificate)
      ? refused('certificate-expired', shown)
      : refused('certificate-untrusted');
  }
  if (name === undefined) return refused('certificate-name');
  if (handlers.revoked?.(serial) === true || !(await handlers.desk.admits(name, serial)))
    return refused('certificate-revoked', shown);
  return knownBy(name, certificate, client);
}

/**
 * Another gateway: only who has the installation's own authority can have such a certificate; or why not.
 * @throws {StateError} while it is not known whether it was revoked.
 */
export function identifyGateway(
  request: IncomingMessage,
  handlers: CertificateParts,
): KnownConnector | ConnectorRefused {
  const socket = request.socket as TLSSocket;
  const client = clientOf(request);
  const refused = (code: string, more: Partial<ConnectorRefused> = {}): ConnectorRefused => ({
    ...{ kind: 'connector-refused', code, client, ...more },
  });
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return refused('certificate-missing');
  if (!socket.authorized || !handlers.authority.vouchesFor(certificate))
    return refused('certificate-untrusted');
  const name = gatewayOf(certificate.subjectAltName, handlers.trustDomain);
  if (name === undefined) return refused('certificate-name', { certificate: refOf(certificate) });
  if (handlers.revoked?.(certificate.serialNumber) === true)
    return refused('certificate-revoked', {
      connector: { name: `gateway/${name}` },
      certificate: refOf(certificate),
    });
  return knownBy(name, certificate, client);
}

function knownBy(name: string, certificate: X509Certificate, client: Peer): KnownConnector {
  const key = keyOriginOf(parseCertificate(certificate.raw));
  return { name, key: keyOf(certificate), certificate: { ...refOf(certificate), key }, client };
}

function keyOf({ publicKey }: X509Certificate): string {
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }));
}

/** What a client's chain may lead to, and the intermediates of ours that it need not send. */
export function clientAuthorities({ certificate, intermediates }: Authority): string[] {
  return [certificate, ...intermediates];
}

/** The client's certificate and what it came with, in PEM. */
export function shownBy({ socket }: IncomingMessage): string {
  const leaf = (socket as TLSSocket).getPeerX509Certificate();
  return `${leaf?.toString() ?? ''}\n${leaf?.issuerCertificate?.toString() ?? ''}`;
}

function refOf(certificate: X509Certificate): CertificateRef {
  return {
    serial: certificate.serialNumber,
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: Date.parse(certificate.validTo),
  };
}

export function clientOf({ socket }: { readonly socket: Socket }): Peer {
  return { address: canonicalAddress(socket.remoteAddress), port: socket.remotePort };
}
