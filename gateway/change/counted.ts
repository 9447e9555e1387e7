// Whose signatures count: each over the exact text, for its purpose, by a listed key that is valid now; people are
// counted, not signatures. A listed key's signature over another text is never just one too few: somebody tampered.
import { isValidAt, type Signer, signsFor } from './allowed-signers.ts';
import { type ChangeReason, ChangeRefusal } from './reasons.ts';
import { SshFormatError } from './ssh-reader.ts';
import { readSshSignature, type SshSignature } from './sshsig.ts';

export interface SignedText {
  readonly message: Buffer;
  /** Armoured. */
  readonly signatures: readonly string[];
  readonly namespace: string;
}

/** Each bad signature's reason; the gravest is told when too few good ones are left. */
const GRAVITY: readonly ChangeReason[] = ['malformed', 'foreign-signed', 'key-expired', 'unknown-signer'];

/** Names of the people whose signatures count, sorted; at least `threshold`. Throws ChangeRefusal. */
export function signersOf(
  { message, signatures, namespace }: SignedText,
  { signers, threshold }: { readonly signers: readonly Signer[]; readonly threshold: number },
  now: number,
): readonly string[] {
  if (signatures.length === 0) throw new ChangeRefusal('unsigned');
  const names = new Set<string>();
  const bad = new Map<ChangeReason, string>();
  for (const armour of signatures) {
    try {
      names.add(countedSigner(signatureOf(armour), message, namespace, signers, now));
    } catch (error) {
      if (!(error instanceof ChangeRefusal) || error.code === 'tampered') throw error;
      bad.set(error.code, error.detail ?? '');
    }
  }
  if (names.size >= threshold) return [...names].sort();
  const gravest = GRAVITY.find((code) => bad.has(code));
  if (names.size === 0 && gravest !== undefined) throw new ChangeRefusal(gravest, bad.get(gravest));
  const besides = gravest === undefined ? '' : `; one more is refused: ${bad.get(gravest)}`;
  const found = names.size === 0 ? 'nobody' : [...names].sort().join(', ');
  throw new ChangeRefusal('too-few-signatures', `${found} signed, of ${threshold} that must${besides}`);
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
export function countedSigner(
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
