// A person's public key as they send it, one line of OpenSSH's. It is read strictly: what is certified here opens
// shells, and a key that anybody could have, or that reads in two ways, must never get that far.
import { sshKey } from '#gateway/change/ssh-key';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { IssueError } from '../issued.ts';

/** Characters of a line: the longest kind of key and its comment. */
export const MAX_KEY_LINE = 1024;
const LINE = /^([a-z0-9@.-]{1,64}) ([A-Za-z0-9+/]+={0,2})(?: [\x20-\x7e]*)?$/;

/** Kinds of keys that are certified, and how many strings make one after its kind. */
export const KINDS: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
  ['sk-ssh-ed25519@openssh.com', 2],
  ['sk-ecdsa-sha2-nistp256@openssh.com', 3],
]);

/** The field of edwards25519, and the points of small order: signatures of such keys say nothing. */
const FIELD = 2n ** 255n - 19n;
const SMALL_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
]);

export interface SubjectKey {
  readonly type: string;
  readonly blob: Buffer;
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** The key of a line like `ssh-ed25519 AAAA… ada@laptop`. Throws IssueError `bad-key`. */
export function readKeyLine(line: string): SubjectKey {
  if (line.length > MAX_KEY_LINE) throw refused(`it is longer than ${MAX_KEY_LINE} characters`);
  const [, type, text = ''] = LINE.exec(line) ?? [];
  if (type === undefined) throw refused('it must be one line, like `ssh-ed25519 AAAA… you@laptop`');
  const blob = Buffer.from(text, 'base64');
  if (blob.toString('base64') !== text) throw refused('it is not base64');
  const key = readKey(blob);
  if (key.type !== type) throw refused(`it says ${type} and is ${key.type}`);
  return key;
}

/** The key of a blob. Throws IssueError `bad-key`. */
export function readKey(blob: Buffer): SubjectKey {
  const length = blob.length < 4 ? 0 : blob.readUInt32BE();
  if (length === 0 || length > 64 || blob.length < 4 + length) throw refused('it does not say its kind');
  const type = blob.toString('latin1', 4, 4 + length);
  if (/-cert-v\d\d@/.test(type)) throw refused('it is a certificate: send the public key itself');
  if (!KINDS.has(type)) {
    const kinds = 'Ed25519, ECDSA, or a security key of these: ssh-keygen -t ed25519';
    throw refused(`keys of the kind ${JSON.stringify(type)} are not certified; take ${kinds}`);
  }
  try {
    const { fingerprint } = sshKey(blob);
    if (type.includes('ed25519')) refuseSmallOrder(blob.subarray(8 + length, 40 + length));
    return { type, blob, fingerprint };
  } catch (cause) {
    if (!(cause instanceof SshFormatError)) throw cause;
    throw refused(cause.message, { cause });
  }
}

function refuseSmallOrder(point: Buffer): void {
  const y = BigInt(`0x${Buffer.from(point).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  if (y >= FIELD || SMALL_ORDER.has(y))
    throw new SshFormatError('it is no key that one person alone can have');
}

function refused(why: string, options?: ErrorOptions): IssueError {
  return new IssueError('bad-key', `this public key is not certified: ${why}`, options);
}
