// The files that a configuration names and a gateway reads: whether each is there, and its secrets are for its owner only.
// It must never read what is in them.
import { accessSync, constants, statSync } from 'node:fs';
import { siemFiles } from '#siem/config';
import { looseness } from '#siem/private-file';
import { describeSystemError } from '#siem/system-error';
import type { GatewayConfig } from './config.ts';

/** What is wrong with each, a sentence that names it. Paths in `config` are absolute. */
export function fileProblems(config: GatewayConfig): string[] {
  const { readable, secret } = filesOf(config);
  return [
    ...readable.map((file) => problemOf(file, false)),
    ...secret.map((file) => problemOf(file, true)),
  ].filter((problem) => problem !== undefined);
}

function filesOf(config: GatewayConfig): { readonly readable: string[]; readonly secret: string[] } {
  const { policy, tls, identity, context, attestation, services, pki, store, changes, admin, release, siem } =
    config;
  const { providers } = identity;
  const sinks = siemFiles(siem);
  const redis = store.kind === 'redis' ? store.redis : undefined;
  const trusted = [
    ...(services?.trustDomains.flatMap(({ bundle, ca }) => [bundle, ca]) ?? []),
    ...(services?.issuers.flatMap(({ keys, ca }) => [keys, ca]) ?? []),
  ].filter((place) => place?.startsWith('https://') === false);
  const named = (files: readonly (string | undefined)[]): string[] =>
    files.filter((file) => file !== undefined);
  return {
    readable: named([
      ...[policy, tls?.certificate, changes?.signers, admin?.signers, release?.signers],
      ...providers.map(({ ca }) => ca),
      ...[
        ...context.countries,
        ...attestation.roots,
        ...attestation.intermediates,
        ...attestation.revocationLists,
      ],
      ...trusted,
      ...[pki.pkcs11?.module, redis?.tls?.ca, redis?.tls?.certificate],
      ...sinks.readable,
    ]),
    secret: named([
      ...[tls?.key, pki.passphrase?.file, pki.pkcs11?.pin.file],
      ...providers.map(({ clientSecret }) => clientSecret?.file),
      ...(store.kind === 'redis' ? [store.secret.file] : []),
      ...[redis?.password?.file, redis?.sentinel?.password?.file, redis?.tls?.key],
      ...sinks.secret,
    ]),
  };
}

function problemOf(file: string, secret: boolean): string | undefined {
  try {
    accessSync(file, constants.R_OK);
    if (statSync(file).isDirectory()) return `${file}: it is a directory`;
    return secret ? looseness(file) : undefined;
  } catch (error) {
    return describeSystemError(error) ?? `${file}: ${(error as Error).message}`;
  }
}
