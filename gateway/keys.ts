// The keys of an installation: which there are, and that every gateway of it has the same ones before they are used.
import { join } from 'node:path';
import type { Log } from '#siem/log';
import type { GatewayConfig } from './config.ts';
import { AssertionSigner } from './pki/assertion.ts';
import { openAuthority } from './pki/authority.ts';
import { gatewayUri } from './pki/enrolment.ts';
import { KeyRing } from './pki/key-ring.ts';
import { type KeyFiles, shareKey } from './state/installation-keys.ts';
import type { Store } from './state/store.ts';

export const CONNECTOR_CA = { directory: 'connector-ca', name: 'Sallyport connectors' } as const;
export const DEVELOPMENT_CA = { directory: 'development-ca', name: 'Sallyport development' } as const;

/** With an embedded store there is nobody to share with, and each room makes its own key. */
export async function shareKeys(config: GatewayConfig, store: Store, now: () => number): Promise<void> {
  if (config.store.kind === 'embedded') return;
  const authority = (ca: { directory: string; name: string }): KeyFiles => ({
    name: ca.directory,
    files: [`${ca.directory}/ca.key`, `${ca.directory}/ca.pem`],
    make: () => openAuthority(join(config.state, ca.directory), ca.name, now),
  });
  await shareKey(store, config.state, authority(CONNECTOR_CA));
  if (config.tls === undefined) await shareKey(store, config.state, authority(DEVELOPMENT_CA));
}

/** What signs assertions, with keys that turn by themselves until `undo` is done. */
export async function openSigner(
  { assertions, connectors, name, portal }: GatewayConfig,
  store: Store,
  { now, log }: { readonly now: () => number; readonly log: Log },
  undo: (() => unknown)[],
): Promise<AssertionSigner> {
  const ring = await KeyRing.open(store, { rotate: assertions.rotate, now, log });
  ring.start();
  undo.push(() => ring.stop());
  return new AssertionSigner(ring, new URL(portal).origin, gatewayUri(connectors.trustDomain, name), now);
}
