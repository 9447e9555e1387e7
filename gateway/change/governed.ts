// Which files of an installation a change must hold, by the names that statements give them.
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import { documentName } from '#gateway/workers/share';
import { readAllowedSigners } from './allowed-signers.ts';
import type { Terms } from './judge.ts';

/** A file that takes effect only as it was signed. */
export interface GovernedFile {
  readonly name: string;
  readonly path: string;
}

export function configurationName(config: Pick<GatewayConfig, 'name' | 'worker'>): string {
  return `configuration/${documentName(config)}`;
}

/** The files of one gateway; `file` is where its configuration lies. */
export function governedFiles(config: GatewayConfig, file: string): readonly GovernedFile[] {
  const { changes, policy, admin } = config;
  if (changes === undefined) return [];
  return [
    { name: configurationName(config), path: file },
    { name: 'policy', path: policy },
    { name: 'signers', path: changes.signers },
    ...(admin === undefined ? [] : [{ name: 'admins', path: admin.signers }]),
    ...furtherFiles(config, file),
  ];
}

/** Those that the configuration lists itself, named by their place beside it. */
export function furtherFiles({ changes }: GatewayConfig, file: string): readonly GovernedFile[] {
  const base = dirname(resolve(file));
  return (changes?.files ?? []).map((path) => ({ name: `files/${relative(base, path)}`, path }));
}

/** What changes are held to by a configuration, with `signers` in the place of its file's text. Throws SignersError. */
export function termsOf(config: GatewayConfig, file: string, signers?: string): Terms {
  const { changes } = config;
  if (changes === undefined) throw new Error('the configuration has no `changes`');
  const { threshold, repository, branch, commit, signedCommits } = changes;
  return {
    ...{ threshold, repository, branch, commit, signedCommits },
    signers: readAllowedSigners(signers ?? readFileSync(changes.signers, 'utf8'), changes.signers),
    gateway: new URL(config.portal).hostname,
    files: governedFiles(config, file).map(({ name }) => name),
  };
}
