// Whether a change may be taken up: a pure function of the change, of what was agreed on, of what is in force and of
// the time. It answers who signed, or refuses for the first reason that holds.
import { hash } from 'node:crypto';
import type { Signer } from './allowed-signers.ts';
import { CHANGE_NAMESPACE, type Change } from './bundle.ts';
import { countedSigner, signersOf } from './counted.ts';
import { commitSignature, GIT_NAMESPACE, GitObjects } from './git-objects.ts';
import { ChangeRefusal } from './reasons.ts';

/** What changes are held to. */
export interface Terms {
  readonly signers: readonly Signer[];
  /** How many different people must have signed. */
  readonly threshold: number;
  /** Host of the portal. */
  readonly gateway: string;
  readonly repository: string;
  readonly branch?: string | undefined;
  readonly commit?: string | undefined;
  /** Whether the commit itself must be signed by one of the signers too. */
  readonly signedCommits: boolean;
  /** Names of the files that every change holds. */
  readonly files: readonly string[];
}

/** What is in force. */
export interface InForce {
  readonly id: string;
  readonly sequence: number;
}

/** Names of the people whose signatures count, sorted. Throws ChangeRefusal. */
export function judge(
  change: Change,
  terms: Terms,
  inForce: InForce | undefined,
  now: number,
): readonly string[] {
  const { statement, signatures } = change.bundle;
  const signed = { message: Buffer.from(statement), signatures, namespace: CHANGE_NAMESPACE };
  const names = signersOf(signed, terms, now);
  checkSource(change, terms);
  checkOrder(change, inForce);
  checkFiles(change, terms, now);
  return names;
}

function checkSource({ statement }: Change, terms: Terms): void {
  const { gateway, repository, branch, commit } = statement;
  if (gateway !== terms.gateway) throw new ChangeRefusal('wrong-gateway', gateway);
  if (repository !== terms.repository) throw new ChangeRefusal('wrong-repository', repository);
  if (terms.branch !== undefined && branch !== terms.branch) throw new ChangeRefusal('wrong-branch', branch);
  if (terms.commit !== undefined && commit !== terms.commit) throw new ChangeRefusal('wrong-commit', commit);
}

/** A change may skip others, for a gateway that was away; it may never go back, nor fork. */
function checkOrder({ id, statement }: Change, inForce: InForce | undefined): void {
  if (inForce === undefined) return;
  const { sequence, previous } = statement;
  if (id === inForce.id) throw new ChangeRefusal('replayed', `number ${sequence} is in force`);
  if (sequence < inForce.sequence)
    throw new ChangeRefusal('rolled-back', `it is number ${sequence}, and ${inForce.sequence} is in force`);
  const next = sequence === inForce.sequence + 1;
  if (sequence === inForce.sequence || (next && previous !== inForce.id))
    throw new ChangeRefusal('wrong-predecessor', `number ${inForce.sequence} in force is ${inForce.id}`);
}

function checkFiles({ statement, bundle }: Change, terms: Terms, now: number): void {
  const missing = terms.files.filter((name) => !Object.hasOwn(statement.files, name));
  if (missing.length > 0) throw new ChangeRefusal('incomplete', missing.join(', '));
  const names = Object.keys(statement.files);
  const extra = Object.keys(bundle.contents).find((name) => !names.includes(name));
  if (extra !== undefined) throw new ChangeRefusal('tampered', `${extra} is in no statement`);
  const git = new GitObjects(
    statement.commit,
    bundle.objects.map((one) => Buffer.from(one, 'base64')),
  );
  for (const [name, { path, sha256 }] of Object.entries(statement.files)) {
    const text = bundle.contents[name] ?? '';
    const content = Buffer.from(text);
    if (!text.isWellFormed() || hash('sha256', content, 'hex') !== sha256)
      throw new ChangeRefusal('tampered', `${name} was changed`);
    if (!git.holds(path, content)) throw new ChangeRefusal('not-of-commit', `${path} at ${statement.commit}`);
  }
  if (!git.isBy(statement.author))
    throw new ChangeRefusal('not-of-commit', `${statement.author} is not the author of ${statement.commit}`);
  if (terms.signedCommits) checkCommit(git, terms, now);
}

function checkCommit(git: GitObjects, { signers }: Terms, now: number): void {
  const signed = git.commit === undefined ? undefined : commitSignature(git.commit);
  if (signed === undefined) throw new ChangeRefusal('commit-unsigned');
  try {
    countedSigner(signed.signature, signed.message, GIT_NAMESPACE, signers, now);
  } catch (error) {
    if (error instanceof ChangeRefusal) throw new ChangeRefusal('commit-unsigned', error.detail);
    throw error;
  }
}
