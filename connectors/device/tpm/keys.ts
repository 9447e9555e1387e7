// The keys of an attester inside its TPM: finding the endorsement key with its certificate, making keys below it,
// and borrowing them for a moment. Whatever was loaded is flushed again, also when something fails.
import { EVIDENCE_LIMITS } from '../../wire/evidence.ts';
import { TpmError } from './error.ts';
import { openTpm } from './link.ts';
import { EK_KINDS, type EkKind, STORAGE_KEY, usesPassword } from './templates.ts';
import { type Authorization, Tpm, type TpmKey } from './tpm.ts';

/** An endorsement or storage key for as long as it is lent. */
export interface EndorsementKey {
  readonly handle: number;
  /** TPMT_PUBLIC. */
  readonly public: Buffer;
}

/** Opens the TPM at `address` for `work`. What other users of swtpm left behind is flushed first. */
export async function withTpm<T>(address: string, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = new Tpm(await openTpm(address));
  try {
    for (const handle of await tpm.transients()) await tpm.flush(handle);
    return await work(tpm);
  } finally {
    await tpm.close();
  }
}

/** A kind of endorsement key this TPM has, with the certificate of it. */
export interface Endorsement {
  readonly kind: EkKind;
  /** DER; absent where the TPM holds none. */
  readonly certificate?: Buffer;
  /** DER of the CAs above it that the TPM holds, too: some makers give each chip its own. */
  readonly intermediates?: readonly Buffer[];
}

/** NV indices of the CAs' certificates, one behind the other (TCG EK Credential Profile 2.5, section 2.2.1.5.2). */
const CHAIN_INDEX = 0x01c00100;
/** Enough for every maker known; the profile reserves 256. */
const MAX_CHAIN_INDICES = 8;

/**
 * The first kind with a certificate, or else the first this TPM can make; only the kind `name`, if it is given.
 * @throws {TpmError} `unsuited`
 */
export async function endorsementOf(tpm: Tpm, name?: string): Promise<Endorsement> {
  const kinds = EK_KINDS.filter((kind) => name === undefined || kind.name === name);
  for (const kind of kinds) {
    const certificate = trimmed((await tpm.nvRead(kind.certificate)) ?? Buffer.alloc(0));
    if (certificate !== undefined) return { kind, certificate, intermediates: await intermediatesOf(tpm) };
  }
  for (const kind of kinds) if (await canMake(tpm, kind)) return { kind };
  const names = EK_KINDS.map((kind) => kind.name).join(', ');
  throw new TpmError('unsuited', `this TPM has no endorsement key of ${name ?? `any kind known: ${names}`}`);
}

/** Lends `work` the endorsement key of this kind. */
export function withEndorsementKey<T>(
  tpm: Tpm,
  kind: EkKind,
  work: (ek: EndorsementKey) => Promise<T>,
): Promise<T> {
  return withPrimary(tpm, kind, () => tpm.createEndorsementKey(kind.template), work);
}

/** Lends `work` the storage key, below which keys of this machine live that are no attester's. */
export function withStorageKey<T>(tpm: Tpm, work: (parent: EndorsementKey) => Promise<T>): Promise<T> {
  return withPrimary(tpm, STORAGE_KEY, () => tpm.createStorageKey(STORAGE_KEY.template), work);
}

async function withPrimary<T>(
  tpm: Tpm,
  { persistent, template }: Pick<EkKind, 'persistent' | 'template'>,
  make: () => Promise<EndorsementKey>,
  work: (key: EndorsementKey) => Promise<T>,
): Promise<T> {
  const there = await tpm.readPublic(persistent);
  // Somebody may have put another key there: only what follows the profile is the key.
  if (there !== undefined && sameTemplate(there, template))
    return work({ handle: persistent, public: there });
  const made = await make();
  try {
    return await work(made);
  } finally {
    await tpm.flush(made.handle);
  }
}

async function canMake(tpm: Tpm, kind: EkKind): Promise<boolean> {
  try {
    return await withEndorsementKey(tpm, kind, async () => true);
  } catch (error) {
    // This TPM lacks the curve, the hash or the key size.
    if (error instanceof TpmError && error.code === 'refused') return false;
    throw error;
  }
}

/** Certificates that follow each other without a gap, over as many indices as they take. */
async function intermediatesOf(tpm: Tpm): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let index = 0; index < MAX_CHAIN_INDICES; index += 1) {
    const part = await tpm.nvRead(CHAIN_INDEX + index);
    if (part === undefined) break;
    parts.push(part);
  }
  let rest = Buffer.concat(parts);
  const certificates: Buffer[] = [];
  while (certificates.length < EVIDENCE_LIMITS.intermediates) {
    const certificate = trimmed(rest);
    if (certificate === undefined || certificate.length > EVIDENCE_LIMITS.structure) break;
    certificates.push(certificate);
    rest = rest.subarray(certificate.length);
  }
  return certificates;
}

/** The DER at the beginning of an NV index, without the padding behind it; undefined if there is none. */
function trimmed(content: Buffer): Buffer | undefined {
  if (content.length < 4 || content.readUInt16BE(0) !== 0x3082) return undefined;
  const length = 4 + content.readUInt16BE(2);
  return length <= content.length ? content.subarray(0, length) : undefined;
}

/** Type, name algorithm, attributes and policy; what follows them differs by the key itself. */
function sameTemplate(publicArea: Buffer, template: Buffer): boolean {
  const length = 2 + 2 + 4 + 2 + template.readUInt16BE(8);
  return publicArea.subarray(0, length).equals(template.subarray(0, length));
}

/** Lets `work` use the endorsement key once: by its password, or by a policy session that is flushed after. */
export async function authorized<T>(
  tpm: Tpm,
  ek: EndorsementKey,
  work: (by: Authorization) => Promise<T>,
): Promise<T> {
  if (usesPassword(ek.public)) return work('password');
  const session = await tpm.endorsementSession();
  try {
    return await work(session);
  } finally {
    await tpm.flush(session);
  }
}

/** Makes a key below the endorsement key: only there are its quotes about this TPM's real counters and firmware. */
export function createBelow(tpm: Tpm, ek: EndorsementKey, template: Buffer): Promise<TpmKey> {
  return authorized(tpm, ek, (by) => tpm.create(ek.handle, by, template));
}

/** Lends `work` a key that lives below the endorsement key. @throws {TpmError} `key-lost` */
export async function withKey<T>(
  tpm: Tpm,
  ek: EndorsementKey,
  key: TpmKey,
  work: (handle: number) => Promise<T>,
): Promise<T> {
  const handle = await authorized(tpm, ek, (by) => tpm.load(ek.handle, by, key));
  try {
    return await work(handle);
  } finally {
    await tpm.flush(handle);
  }
}
