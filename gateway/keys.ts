// The keys of an installation: which there are, and that every gateway of it has the same ones before they are used.
import { join } from 'node:path';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import type { KeyProofs } from './attest/key-proof.ts';
import type { GatewayConfig } from './config.ts';
import { AssertionSigner } from './pki/assertion.ts';
import { AuthorityOffice } from './pki/authority-office.ts';
import { CertificateRevocations } from './pki/certificate-revocations.ts';
import { EnrolmentDesk, gatewayUri } from './pki/enrolment.ts';
import { Issuer } from './pki/issuer.ts';
import type { AuthoritySettings, KeySettings, SshSettings } from './pki/issuer-service.ts';
import { KeyRing } from './pki/key-ring.ts';
import { SshDesk, type SshDeskOptions } from './pki/ssh/desk.ts';
import type { Store } from './state/store.ts';
import { documentName } from './workers/share.ts';

/** Vouches for connectors, services and gateways, and for the listener that connectors dial. */
export const CONNECTOR_CA = { directory: 'connector-ca', name: 'Sallyport connectors' } as const;
/** Vouches for the hosts people use, where the operator has no certificate for them. */
export const DEVELOPMENT_CA = { directory: 'development-ca', name: 'Sallyport development' } as const;

/** Signs SSH certificates for people. */
const SSH_CA = 'ssh-ca';

interface Around {
  readonly now: () => number;
  readonly log: Log;
}

/** The issuing process with its authorities open, until `undo` is done. `hosts`: of the portal and of apps. */
export async function openIssuer(
  config: GatewayConfig,
  store: Store,
  { now, log }: Around,
  undo: (() => unknown)[],
  hosts: readonly string[],
): Promise<Issuer> {
  const issuer = issuerOf(config, log, hosts);
  undo.push(() => issuer.stop());
  if (config.store.kind === 'redis') {
    for (const { id } of authoritiesOf(config, hosts)) await shareRoot(store, issuer, id);
  }
  await issuer.open(now);
  return issuer;
}

export function keySettings({ pki }: GatewayConfig): KeySettings {
  const { keys, passphrase, pkcs11, tpm } = pki;
  return {
    place: keys,
    tpm,
    ...(passphrase === undefined ? {} : { passphrase: passphrase.file }),
    ...(pkcs11 === undefined ? {} : { pkcs11: { ...pkcs11, pin: pkcs11.pin.file } }),
  };
}

/** The authorities by their directories' names, which are their ids too. */
export function authoritiesOf(config: GatewayConfig, hosts: readonly string[]): AuthoritySettings[] {
  const { connectors, pki, state, tls } = config;
  const of = (
    { directory, name }: { directory: string; name: string },
    more: Pick<AuthoritySettings, 'rules' | 'constraints'>,
  ): AuthoritySettings => ({ id: directory, directory: join(state, directory), name, ...more });
  const { perSecond } = pki;
  const { trustDomain } = connectors;
  return [
    of(CONNECTOR_CA, {
      rules: { servers: connectors.hosts, trustDomain, perSecond },
      constraints: { trustDomain, hosts: connectors.hosts },
    }),
    ...(tls === undefined ? [of(DEVELOPMENT_CA, { rules: { servers: hosts, perSecond } })] : []),
  ];
}

/** For apps that are sshd; undefined where none is. */
function sshSettings({ apps, pki, state }: GatewayConfig): SshSettings | undefined {
  const certified = apps.flatMap((app) =>
    app.protocol === 'tcp' && app.ssh !== undefined ? [[app.id, app.ssh] as const] : [],
  );
  if (certified.length === 0) return undefined;
  return {
    directory: join(state, SSH_CA),
    apps: Object.fromEntries(certified),
    perSecond: pki.perSecond,
  };
}

/** What gives people SSH certificates until `undo` is done; undefined where no app is sshd. */
export async function openSshDesk(
  config: GatewayConfig,
  parts: Omit<SshDeskOptions, 'name' | 'gateway'>,
  undo: (() => unknown)[],
): Promise<SshDesk | undefined> {
  if (sshSettings(config) === undefined) return undefined;
  const desk = new SshDesk({ ...parts, name: config.name, gateway: documentName(config) });
  await desk.start();
  undo.push(() => desk.stop());
  return desk;
}

export interface OfficeParts extends Around {
  readonly config: GatewayConfig;
  readonly issuer: Issuer;
  readonly store: Store;
  readonly recorder: Recorder;
  readonly keyProofs: KeyProofs;
  readonly makersEndingBy: (time: number) => readonly Buffer[];
}

/** What admins do with the authorities, and what of their certificates was revoked, until `undo` is done. */
export async function openOffice(
  { config, issuer, store, keyProofs: keys, ...parts }: OfficeParts,
  undo: (() => unknown)[],
): Promise<{ desk: EnrolmentDesk; office: AuthorityOffice; revocations: CertificateRevocations }> {
  const [connectors, ...others] = authoritiesOf(config, []);
  if (connectors === undefined) throw new Error('there is no authority');
  const { id, directory } = connectors;
  const authority = issuer.authority(id);
  const revocations = new CertificateRevocations({ ...parts, store, authority, directory });
  undo.push(() => revocations.stop());
  await revocations.listen();
  const authorities = [id, ...others.map((other) => other.id)];
  const { trustDomain, certificateLife } = config.connectors;
  const { now } = parts;
  const desk = new EnrolmentDesk({ store, authority, trustDomain, certificateLife, revocations, keys, now });
  const office = new AuthorityOffice({ ...parts, issuer, authorities, desk, revocations });
  undo.push(() => office.stop());
  office.start();
  return { desk, office, revocations };
}

/** Gives this gateway's roots to the installation in `store`, or takes over those it has. */
export async function shareRoots(config: GatewayConfig, store: Store, log: Log): Promise<void> {
  const issuer = issuerOf(config, log, []);
  try {
    for (const { id } of authoritiesOf(config, [])) await shareRoot(store, issuer, id);
  } finally {
    issuer.stop();
  }
}

function issuerOf(config: GatewayConfig, log: Log, hosts: readonly string[]): Issuer {
  const { store } = config;
  const shared = store.kind === 'redis' ? { secret: store.secret.file } : undefined;
  const ssh = sshSettings(config);
  const authorities = authoritiesOf(config, hosts);
  return new Issuer({ authorities, keys: keySettings(config), ssh, shared }, log);
}

/** The first gateway of an installation gives its root to the others. Throws StateError when this one has another. */
async function shareRoot(store: Store, issuer: Issuer, id: string): Promise<void> {
  const name = `${id}-root`;
  let kept = await store.get('sharedKey', name);
  if (kept === undefined) {
    const { certificate, key } = await issuer.offer(id);
    const files = { certificate, ...(key === undefined ? {} : { key }) };
    if (await store.create('sharedKey', name, { files })) {
      // What an earlier version left there was the one key that signed everything.
      await store.remove('sharedKey', id);
      return;
    }
    kept = await store.get('sharedKey', name);
  }
  const { certificate = '', key } = kept?.files ?? {};
  await issuer.adopt(id, { certificate, key });
}

/** What signs assertions, with keys that turn by themselves until `undo` is done. */
export async function openSigner(
  { assertions, connectors, name, portal }: GatewayConfig,
  store: Store,
  { now, log }: Around,
  undo: (() => unknown)[],
): Promise<AssertionSigner> {
  const ring = await KeyRing.open(store, { rotate: assertions.rotate, now, log });
  ring.start();
  undo.push(() => ring.stop());
  return new AssertionSigner(ring, new URL(portal).origin, gatewayUri(connectors.trustDomain, name), now);
}
