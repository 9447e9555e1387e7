// What `sallyport ca` does without a running gateway: on a root that is kept offline, and on a state directory before a
// gateway's first start.
import { existsSync } from 'node:fs';
import type { GatewayConfig } from '#gateway/config';
import { authoritiesOf, keySettings } from '#gateway/keys';
import { AuthorityDirectory, ownPassphrase } from '#gateway/pki/authority-directory';
import { AuthorityError } from '#gateway/pki/ca-certificate';
import type { Constraints } from '#gateway/pki/certificate-writer';
import { accessOf } from '#gateway/pki/issuer-service';
import { readRequest } from '#gateway/pki/signing-request';
import { readPrivate } from '#gateway/state/private-files';
import { workerConfig } from '#gateway/workers/share';

/** Rejects with AuthorityError where there is a root already. */
export async function initRoot(dir: string, name: string, passphrase: string | undefined): Promise<void> {
  const directory = openRoot(dir, passphrase, name);
  if (existsSync(directory.at('ca.pem'))) {
    throw new AuthorityError('root-missing', `${dir} has a root already: nothing was changed`);
  }
  await directory.makeRoot();
}

/** The intermediate in PEM; of several requests one each. */
export async function signRequest(
  dir: string,
  csr: string,
  constraints: Constraints,
  passphrase: string | undefined,
): Promise<string> {
  const root = openRoot(dir, passphrase);
  const each = csr.match(/-----BEGIN CERTIFICATE REQUEST-----[^-]+-----END CERTIFICATE REQUEST-----/g);
  let signed = '';
  for (const one of each ?? [csr]) signed += await root.signIntermediate(readRequest(one), constraints);
  return signed;
}

export async function requestHere(config: GatewayConfig, authority: string): Promise<string> {
  let requests = '';
  for (const one of workersOf(config)) requests += await openHere(one, authority).requestIntermediate();
  return requests;
}

export function importHere(
  config: GatewayConfig,
  authority: string,
  certificate: string,
  root: string | undefined,
): void {
  for (const one of workersOf(config)) openHere(one, authority).importIntermediate(certificate, root);
}

/** Each worker has intermediates of its own. */
function workersOf(config: GatewayConfig): readonly GatewayConfig[] {
  const { count } = config.workers;
  return count === 1
    ? [config]
    : Array.from({ length: count }, (_, index) => workerConfig(config, index + 1));
}

function openRoot(dir: string, passphrase: string | undefined, name = 'Sallyport'): AuthorityDirectory {
  const open = passphrase === undefined ? ownPassphrase(dir) : (): string => readPrivate(passphrase);
  return new AuthorityDirectory(dir, name, { now: Date.now, access: { passphrase: open } });
}

function openHere(config: GatewayConfig, authority: string): AuthorityDirectory {
  const settings = authoritiesOf(config, []).find(({ id }) => id === authority);
  if (settings === undefined) {
    throw new AuthorityError('root-missing', `there is no authority ${authority} in this configuration`);
  }
  const { directory, name } = settings;
  const keys = keySettings(config);
  return new AuthorityDirectory(directory, name, {
    now: Date.now,
    access: accessOf(keys, directory),
    place: keys.place,
  });
}
