// Which TPM makers are trusted: EK certificates are followed to configured roots, or refused (RFC 5280, section 6).
// Node has no path validation; this one knows exactly what an endorsement chain may hold.
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import {
  type Certificate,
  type CertifiedKey,
  certifiedKey,
  EK_PURPOSE,
  KEY_USAGE,
  parseCertificate,
  type TpmName,
} from './certificate.ts';
import { DerError } from './der.ts';
import type { PublicArea } from './public-area.ts';
import type { ReasonCode } from './reasons.ts';
import type { Endorsement } from './records.ts';
import { AttestationRefusal } from './refusal.ts';
import { parseRevocationList, type RevocationList } from './revocation-list.ts';
import { type Signed, verifySigned } from './signed.ts';

/** A configured root, intermediate or revocation list is unusable. `message` says which and why. */
export class EndorsementConfigError extends Error {
  readonly code = 'endorsement-config';
}

export interface EndorsementSources {
  /** DER certificates whose word counts. */
  readonly roots: readonly Buffer[];
  /** DER certificates that only count below a root. */
  readonly intermediates?: readonly Buffer[];
  /** DER revocation lists. An issuer with a list has its certificates checked, and none once it is out of date. */
  readonly revocationLists?: readonly Buffer[];
}

interface Issuer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly fingerprint: string;
  readonly root: boolean;
  readonly revocations: RevocationList[];
}

/** One walk up to a root. */
interface Search {
  readonly now: number;
  readonly supplied: readonly Issuer[];
  readonly tried: Set<Issuer>;
}

/** Intermediates taken from a TPM: makers that put any into it put up to five. */
const MAX_SUPPLIED = 6;
/** Longest chain followed, leaf and root included: makers use three or four, Intel's chips of today seven. */
const MAX_CHAIN = 8;

export class Endorsements {
  /** By subject name: several when a CA has renewed its certificate. */
  readonly #issuers = new Map<string, Issuer[]>();
  readonly #byFingerprint = new Map<string, Issuer>();

  /** Throws EndorsementConfigError. */
  constructor({ roots, intermediates = [], revocationLists = [] }: EndorsementSources) {
    roots.forEach((der, index) => {
      this.#add(der, true, `root ${index + 1}`);
    });
    intermediates.forEach((der, index) => {
      this.#add(der, false, `intermediate ${index + 1}`);
    });
    revocationLists.forEach((der, index) => {
      this.#addList(der, `revocation list ${index + 1}`);
    });
  }

  /**
   * That `der` vouches for this EK, now. `now` in epoch milliseconds. `supplied`: intermediates that came with the TPM,
   * as makers put them into it that give each chip its own. Throws AttestationRefusal with a code that begins `ek-`.
   */
  check(der: Buffer, ek: PublicArea, now: number, supplied: readonly Buffer[] = []): Endorsement {
    let leaf: Certificate;
    let issuers: Issuer[];
    try {
      issuers = supplied.slice(0, MAX_SUPPLIED).map((one) => issuerOf(one, false));
      leaf = parseCertificate(der);
      const key = certifiedKey(leaf.spki);
      if (key === undefined || !isKeyOf(key, ek)) throw new AttestationRefusal('ek-certificate-other-key');
    } catch (cause) {
      if (cause instanceof DerError)
        throw new AttestationRefusal('ek-certificate-malformed', undefined, { cause });
      throw cause;
    }
    const tpm = checkLeaf(leaf, ek.unique.type);
    checkTime(leaf, now);
    const chain = this.#follow(leaf, { now, supplied: issuers, tried: new Set() }, 1);
    const root = chain.at(-1) as Issuer;
    return {
      certificate: fingerprintOf(der),
      chain: chain.map(({ certificate, fingerprint }, index) => ({
        issuer: fingerprint,
        serial: (chain[index - 1]?.certificate ?? leaf).serial,
        ...(this.#byFingerprint.has(fingerprint) ? {} : { supplied: true, notAfter: certificate.notAfter }),
      })),
      root: root.fingerprint,
      ...tpm,
      notAfter: leaf.notAfter,
    };
  }

  /**
   * That what was once accepted still would be: its root and issuers are configured, none has ended or revoked a link.
   * Signatures were checked at enrolment and do not change. Cheap enough for every quote. Throws AttestationRefusal.
   */
  recheck(endorsement: Endorsement, now: number): void {
    if (this.#byFingerprint.get(endorsement.root)?.root !== true) {
      throw new AttestationRefusal('ek-chain-untrusted');
    }
    if (endorsement.notAfter < now) throw new AttestationRefusal('ek-certificate-expired');
    for (const { issuer, serial, supplied, notAfter = Number.POSITIVE_INFINITY } of endorsement.chain) {
      const configured = this.#byFingerprint.get(issuer);
      if (configured === undefined && supplied !== true) throw new AttestationRefusal('ek-chain-untrusted');
      const end = configured === undefined ? notAfter : this.#renewed(configured).certificate.notAfter;
      if (end < now) throw new AttestationRefusal('ek-certificate-expired');
      if (configured !== undefined) checkRevocation(configured, serial, now);
    }
  }

  /** DER certificates of the configured CAs that end by `time`, but for those that have been renewed. */
  endingBy(time: number): readonly Buffer[] {
    return [...this.#byFingerprint.values()]
      .filter((one) => one.certificate.notAfter <= time && this.#renewed(one) === one)
      .map(({ certificate }) => certificate.der);
  }

  /** The one that lasts longest of a CA's certificates, which have one name and one key; of a root's only roots. */
  #renewed(issuer: Issuer): Issuer {
    const { subject, spki } = issuer.certificate;
    return (this.#issuers.get(subject.toString('hex')) ?? [])
      .filter((other) => other.certificate.spki.equals(spki) && (other.root || !issuer.root))
      .reduce((a, b) => (b.certificate.notAfter > a.certificate.notAfter ? b : a), issuer);
  }

  /** The issuers up to a root. With several candidates the last one's refusal is reported. */
  #follow(certificate: Certificate, search: Search, below: number): Issuer[] {
    let refusal = new AttestationRefusal('ek-chain-untrusted');
    const configured = this.#issuers.get(certificate.issuer.toString('hex')) ?? [];
    const supplied = search.supplied.filter((one) => one.certificate.subject.equals(certificate.issuer));
    for (const issuer of [...configured, ...supplied]) {
      // Once is enough: certificates that sign each other crosswise would have us walk for ever.
      if (search.tried.has(issuer)) continue;
      search.tried.add(issuer);
      try {
        checkIssued(certificate, issuer, search.now, below);
        if (issuer.root) return [issuer];
        if (below + 1 < MAX_CHAIN) return [issuer, ...this.#follow(issuer.certificate, search, below + 1)];
      } catch (error) {
        if (!(error instanceof AttestationRefusal)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  #add(der: Buffer, root: boolean, place: string): void {
    let issuer: Issuer;
    try {
      issuer = issuerOf(der, root);
    } catch (cause) {
      throw new EndorsementConfigError(`${place} is not a certificate that can be used`, { cause });
    }
    const { certificate } = issuer;
    if (root && certificate.basicConstraints?.ca !== true) {
      throw new EndorsementConfigError(`${place} is not the certificate of a CA`);
    }
    const subject = certificate.subject.toString('hex');
    this.#issuers.set(subject, [...(this.#issuers.get(subject) ?? []), issuer]);
    // A root that is listed as an intermediate too stays a root.
    if (this.#byFingerprint.get(issuer.fingerprint)?.root !== true) {
      this.#byFingerprint.set(issuer.fingerprint, issuer);
    }
  }

  #addList(der: Buffer, place: string): void {
    let list: RevocationList;
    try {
      list = parseRevocationList(der);
    } catch (cause) {
      throw new EndorsementConfigError(`${place} is not a whole, direct revocation list`, { cause });
    }
    const issuers = (this.#issuers.get(list.issuer.toString('hex')) ?? []).filter(
      ({ certificate, key }) => maySign(certificate, KEY_USAGE.CRL_SIGN) && isValid(list.signed, key),
    );
    if (issuers.length === 0) {
      throw new EndorsementConfigError(`${place} is not signed by any configured CA that may sign one`);
    }
    for (const { revocations } of issuers) revocations.push(list);
  }
}

/** Throws DerError. */
function issuerOf(der: Buffer, root: boolean): Issuer {
  const certificate = parseCertificate(der);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: certificate.spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new DerError('a key that cannot be used', { cause });
  }
  return { certificate, key, fingerprint: fingerprintOf(der), root, revocations: [] };
}

function isValid(signed: Signed, key: KeyObject): boolean {
  try {
    return verifySigned(signed, key) === 'valid';
  } catch {
    return false;
  }
}

function isKeyOf(key: CertifiedKey, { unique }: PublicArea): boolean {
  if (key.type === 'rsa') return unique.type === 'rsa' && key.modulus.equals(unique.modulus);
  return (
    unique.type === 'ecc' &&
    key.curve === unique.curve &&
    key.point.equals(Buffer.concat([Buffer.of(4), unique.x, unique.y]))
  );
}

/** What the certificate of an endorsement key has to say of itself (TCG EK Credential Profile, section 3). */
function checkLeaf(leaf: Certificate, type: 'rsa' | 'ecc'): TpmName {
  if (hasUnknown(leaf)) throw new AttestationRefusal('ek-certificate-critical-extension');
  if (leaf.basicConstraints?.ca === true) throw new AttestationRefusal('ek-certificate-is-ca');
  if (leaf.purposes?.includes(EK_PURPOSE) !== true) throw new AttestationRefusal('ek-certificate-purpose');
  const usage = type === 'rsa' ? KEY_USAGE.KEY_ENCIPHERMENT : KEY_USAGE.KEY_AGREEMENT;
  // A TPM could never use its EK for more; a certificate that says so was not made for one.
  if (leaf.keyUsage === undefined || (leaf.keyUsage & usage) === 0 || (leaf.keyUsage & CA_USAGE) !== 0) {
    throw new AttestationRefusal('ek-certificate-key-usage');
  }
  if (leaf.tpm === undefined) throw new AttestationRefusal('ek-certificate-no-tpm-name');
  return leaf.tpm;
}

const CA_USAGE = KEY_USAGE.KEY_CERT_SIGN | KEY_USAGE.CRL_SIGN;

/** No maker's CA narrows names, so what would narrow them is not understood here. */
function hasUnknown({ unknownCritical, nameConstraints }: Certificate): boolean {
  return unknownCritical || nameConstraints !== undefined;
}

/** `below`: certificates between this issuer and the leaf, leaf included. */
function checkIssued(certificate: Certificate, issuer: Issuer, now: number, below: number): void {
  const { authorityKeyId } = certificate;
  const { subjectKeyId, basicConstraints } = issuer.certificate;
  if (authorityKeyId !== undefined && subjectKeyId !== undefined && authorityKeyId !== subjectKeyId) {
    throw new AttestationRefusal('ek-chain-untrusted');
  }
  const verdict = verdictOf(certificate, issuer.key);
  if (verdict !== undefined) throw new AttestationRefusal(verdict);
  if (basicConstraints?.ca !== true || !maySign(issuer.certificate, KEY_USAGE.KEY_CERT_SIGN)) {
    throw new AttestationRefusal('ek-issuer-not-ca');
  }
  if (hasUnknown(issuer.certificate)) throw new AttestationRefusal('ek-certificate-critical-extension');
  // pathLen counts the CAs below this one.
  if ((basicConstraints.pathLength ?? MAX_CHAIN) < below - 1) {
    throw new AttestationRefusal('ek-issuer-path-length');
  }
  checkTime(issuer.certificate, now);
  checkRevocation(issuer, certificate.serial, now);
}

function verdictOf(certificate: Certificate, key: KeyObject): ReasonCode | undefined {
  try {
    const verdict = verifySigned(certificate.signed, key);
    if (verdict === 'valid') return undefined;
    return verdict === 'weak' ? 'ek-certificate-weak' : 'ek-certificate-signature';
  } catch {
    return 'ek-certificate-signature';
  }
}

/** Without keyUsage a key may do anything (RFC 5280, section 4.2.1.3), but a CA has to have it. */
function maySign({ keyUsage }: Certificate, usage: number): boolean {
  return keyUsage !== undefined && (keyUsage & usage) !== 0;
}

function checkTime({ notBefore, notAfter }: Certificate, now: number): void {
  if (now < notBefore) throw new AttestationRefusal('ek-certificate-not-yet-valid');
  if (now > notAfter) throw new AttestationRefusal('ek-certificate-expired');
}

function checkRevocation({ revocations }: Issuer, serial: string, now: number): void {
  if (revocations.some(({ revoked }) => revoked.has(serial))) {
    throw new AttestationRefusal('ek-certificate-revoked');
  }
  if (revocations.length > 0 && revocations.every(({ nextUpdate }) => nextUpdate < now)) {
    throw new AttestationRefusal('ek-revocation-stale');
  }
}

function fingerprintOf(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}
