// Makes the listener that services dial: the same TLS and the same strict front as people's, but it asks for certificates.
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Answers } from './answers.ts';
import type { Metrics } from './console/metrics.ts';
import { type ClientCertificates, type PeopleListener, peopleListener } from './edge/people-listener.ts';
import { Sites } from './edge/sites.ts';
import { TLS_SETTINGS } from './edge/tls.ts';
import { Proofs } from './identity/dpop.ts';
import type { Sessions } from './identity/sessions.ts';
import { DEVELOPMENT_CA } from './keys.ts';
import { handlersOf, listen, type PeopleParts } from './listeners.ts';
import type { AssertionSigner } from './pki/assertion.ts';
import type { CertificateRevocations } from './pki/certificate-revocations.ts';
import { Delegations } from './pki/delegation.ts';
import { FileCertificate } from './pki/file-certificate.ts';
import type { Authority } from './pki/issued.ts';
import { issueCertificate, keepRenewed } from './pki/server-certificate.ts';
import { ServiceExchange } from './service-exchange.ts';
import { ServiceFlow } from './service-flow.ts';
import { openServices } from './services.ts';
import type { Store } from './state/store.ts';
import type { TunnelRelays } from './tunnel/relay.ts';

/** A resumed connection shows no chain any more, only its leaf: each one begins anew, and is verified anew. */
const SERVICE_TLS: SecureContextOptions = {
  ...TLS_SETTINGS,
  secureOptions: (TLS_SETTINGS.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET,
};
/** What services are asked for in the handshake; who they are is found out with the request. */
export const SERVICE_CLIENTS: ClientCertificates = {
  ...SERVICE_TLS,
  requestCert: true,
  rejectUnauthorized: false,
};

export interface ServiceParts extends Omit<PeopleParts, 'sites' | 'tickets'> {
  /** With other processes at the same address. */
  readonly reusePort: boolean;
  readonly answers: Answers;
  /** Vouches for our own services. */
  readonly authority: Authority;
  readonly revocations: CertificateRevocations;
  readonly signer: AssertionSigner;
  readonly metrics: Metrics;
  readonly sessions: Sessions;
  readonly store: Store;
  readonly tunnels: TunnelRelays;
}

/** What services dial, listening already, with the certificate people see; undefined where none is configured. */
export async function serviceServer(
  parts: ServiceParts,
  undo: (() => unknown)[],
): Promise<PeopleListener | undefined> {
  const { config, issuer, authority, log, now } = parts;
  if (config.services === undefined) return undefined;
  const revoked = (serial: string): boolean => parts.revocations.covers(serial);
  const around = { log, now, revoked, tunnels: parts.tunnels };
  const services = openServices(config, config.services, authority.certificate, around, undo);
  const sites = new Sites(config, config.services.listen.port);
  const { signer, store } = parts;
  const delegations = new Delegations(signer.ring, signer.issuer, now);
  const proofs = new Proofs(store, now);
  const passing = new ServiceExchange({ ...parts, sites, services, delegations, proofs });
  const handlers = handlersOf(new ServiceFlow({ ...parts, sites, services, passing }), parts);
  if (config.tls !== undefined) {
    // Of its end and its names the listener for people tells.
    const files = new FileCertificate({ files: config.tls, hosts: [], log, now, onExpiring: () => {} });
    const listener = peopleListener(files.current, config.limits, handlers, SERVICE_CLIENTS);
    const timer = files.follow(listener.server, SERVICE_TLS);
    undo.push(() => clearInterval(timer));
    await listen(listener.server, config.services.listen, undo, parts.reusePort);
    return listener;
  }
  const ca = issuer.authority(DEVELOPMENT_CA.directory);
  const { notAfter, ...certificate } = await issueCertificate(ca, sites.hosts);
  const listener = peopleListener(certificate, config.limits, handlers, SERVICE_CLIENTS);
  const renewed = { authority: ca, names: sites.hosts, notAfter, settings: () => SERVICE_TLS, now, log };
  const timer = keepRenewed(listener.server, renewed);
  undo.push(() => clearInterval(timer));
  await listen(listener.server, config.services.listen, undo, parts.reusePort);
  return listener;
}
