// Whether a change may be taken up: a pure function of the change, of what was agreed on, of what is in force and of
// the time. It answers who signed, or refuses for the first reason that holds.
import { hash } from 'node:crypto';
import { isValidAt, type Signer, signsFor } from './allowed-signers.ts';
import { CHANGE_NAMESPACE, type Change } from './bundle.ts';
import { commitSignature, GIT_NAMESPACE, GitObjects } from './git-objects.ts';
import { type ChangeReason, ChangeRefusal } from './reasons.ts';
import { SshFormatError } from './ssh-reader.ts';
import { readSshSignature, type SshSignature } from './sshsig.ts';

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
  const names = signersOf(change, terms, now);
  checkSource(change, terms);
  checkOrder(change, inForce);
  checkFiles(change, terms, now);
  return names;
}

/** Each bad signature's reason; the gravest is told when too few good ones are left. */
const GRAVITY: readonly ChangeReason[] = ['malformed', 'foreign-signed', 'key-expired', 'unknown-signer'];

function signersOf({ bundle }: Change, terms: Terms, now: number): readonly string[] {
  if (bundle.signatures.length === 0) throw new ChangeRefusal('unsigned');
  const message = Buffer.from(bundle.statement);
  const names = new Set<string>();
  const bad = new Map<ChangeReason, string>();
  for (const armour of bundle.signatures) {
    try {
      names.add(countedSigner(signatureOf(armour), message, CHANGE_NAMESPACE, terms.signers, now));
    } catch (error) {
      if (!(error instanceof ChangeRefusal) || error.code === 'tampered') throw error;
      bad.set(error.code, error.detail ?? '');
    }
  }
  if (names.size >= terms.threshold) return [...names].sort();
  const gravest = GRAVITY.find((code) => bad.has(code));
  if (names.size === 0 && gravest !== undefined) throw new ChangeRefusal(gravest, bad.get(gravest));
  const besides = gravest === undefined ? '' : `; one more is refused: ${bad.get(gravest)}`;
  const found = names.size === 0 ? 'nobody' : [...names].sort().join(', ');
  throw new ChangeRefusal('too-few-signatures', `${found} signed, of ${terms.threshold} that must${besides}`);
}

function signatureOf(armour: string): SshSignature {
  try {
    return readSshSignature(armour);
  } catch (error) {
    if (error instanceof SshFormatError) throw new ChangeRefusal('malformed', error.message);
    throw error;
  }
}

/** Who made a signature that counts. Throws ChangeRefusal. */
function countedSigner(
  signature: SshSignature,
  message: Buffer,
  namespace: string,
  signers: readonly Signer[],
  now: number,
): string {
  const { fingerprint } = signature.key;
  const listed = signers.filter(({ key }) => key.fingerprint === fingerprint);
  if (listed.length === 0) throw new ChangeRefusal('unknown-signer', fingerprint);
  if (signature.namespace !== namespace)
    throw new ChangeRefusal(
      'foreign-signed',
      `${fingerprint} signed for ${JSON.stringify(signature.namespace.slice(0, 64))}`,
    );
  const permitted = listed.filter((one) => signsFor(one, namespace));
  if (permitted.length === 0)
    throw new ChangeRefusal('foreign-signed', `${fingerprint} may not sign for ${namespace}`);
  const signer = permitted.find((one) => isValidAt(one, now));
  if (signer === undefined) throw new ChangeRefusal('key-expired', fingerprint);
  let covers: boolean;
  try {
    covers = signature.covers(message);
  } catch (error) {
    if (error instanceof SshFormatError) throw new ChangeRefusal('malformed', error.message);
    throw error;
  }
  if (!covers)
    throw new ChangeRefusal('tampered', `the signature of ${signer.principal} is over another text`);
  return signer.principal;
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
