// Makes an unsigned change from what is committed: never from a file as it merely lies there.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bundle, StatedFile, Statement } from '#gateway/change/bundle';
import { governedFiles } from '#gateway/change/governed';
import type { GatewayConfig } from '#gateway/config';
import { Git } from './git.ts';

/** What cannot be proposed. `message` says why, and what to do. */
export class ProposalError extends Error {
  readonly code = 'not-proposable';
}

export interface ConfigFile {
  readonly file: string;
  readonly config: GatewayConfig;
}

export interface Predecessor {
  readonly id: string;
  readonly sequence: number;
}

/** A change that puts in force what the commit at HEAD holds. Throws ProposalError and GitError. */
export function proposal(
  configs: readonly ConfigFile[],
  previous: Predecessor | undefined,
  repository: string | undefined,
): Bundle {
  const [first] = configs;
  if (first === undefined) throw new ProposalError('give the configuration of at least one gateway');
  const git = Git.around(first.file);
  const { commit } = git;
  const files: Record<string, StatedFile> = {};
  const contents: Record<string, string> = {};
  for (const { file, config } of configs) {
    if (config.changes === undefined)
      throw new ProposalError(`${file} has no \`changes\`: it says who may sign, see docs/changes.md`);
    if (config.portal !== first.config.portal)
      throw new ProposalError(`${file} is of another installation than ${first.file}`);
    for (const { name, path: place } of governedFiles(config, file)) {
      const path = git.pathOf(place);
      if (files[name] !== undefined && files[name].path !== path)
        throw new ProposalError(`${files[name].path} and ${path} would both be the ${name}`);
      const content = git.file(commit, path);
      if (!content.equals(readFileSync(place)))
        throw new ProposalError(`${place} is not as it is in commit ${commit.slice(0, 12)}: commit it first`);
      files[name] = { path, sha256: hash('sha256', content, 'hex') };
      contents[name] = textOf(content, place);
    }
  }
  const statement: Statement = {
    version: 1,
    gateway: new URL(first.config.portal).hostname,
    repository: repository ?? git.repository,
    ...{ branch: git.branch, commit, author: git.author, subject: git.subject },
    sequence: (previous?.sequence ?? 0) + 1,
    ...(previous === undefined ? {} : { previous: previous.id }),
    files,
  };
  const paths = Object.values(files).map(({ path }) => path);
  return {
    statement: JSON.stringify(statement, null, 1),
    signatures: [],
    contents,
    objects: git.objects(commit, paths).map((one) => one.toString('base64')),
  };
}

function textOf(content: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new ProposalError(`${file} is not UTF-8`);
  }
}
