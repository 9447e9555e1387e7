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

/** Rejects with AuthorityError where there is a root already. */
export async function initRoot(dir: string, name: string, passphrase: string | undefined): Promise<void> {
  const directory = openRoot(dir, passphrase, name);
  if (existsSync(directory.at('ca.pem'))) {
    throw new AuthorityError('root-missing', `${dir} has a root already: nothing was changed`);
  }
  await directory.makeRoot();
}

/** The intermediate in PEM. */
export async function signRequest(
  dir: string,
  csr: string,
  constraints: Constraints,
  passphrase: string | undefined,
): Promise<string> {
  return openRoot(dir, passphrase).signIntermediate(await readRequest(csr), constraints);
}

export function requestHere(config: GatewayConfig, authority: string): Promise<string> {
  return openHere(config, authority).requestIntermediate();
}

export function importHere(
  config: GatewayConfig,
  authority: string,
  certificate: string,
  root: string | undefined,
): void {
  openHere(config, authority).importIntermediate(certificate, root);
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
