// Verifies a quote: signed by this device's attestation key, over exactly the PCRs asked for, with their values.
import { hash } from 'node:crypto';
import { ALG, ENDORSEMENT_HIERARCHY } from './algorithms.ts';
import { type PcrSelection, parseCertify, parseQuote, type QuoteStructure } from './attest-structure.ts';
import { checkSessionKey } from './key-roles.ts';
import { type PublicArea, qualifiedName } from './public-area.ts';
import { AttestationRefusal } from './refusal.ts';
import { type SigningKey, signingKey, verifySignature } from './signature.ts';

/** PCRs quoted, 0 to 7 of the SHA-256 bank: never 16 or 23, which anybody may reset. */
const QUOTED = 8;
const PCR_SIZE = 32;
const EXTRA_DATA_SIZE = 32;

/** The attestation key of an enrolled device. */
export interface Attester extends SigningKey {
  readonly name: Buffer;
  /** Of the AK as child of the EK: proves that it lives in that TPM's endorsement hierarchy. */
  readonly qualifiedName: Buffer;
}

/** `ekName`: from the device's enrolment. The EK's own qualified name has the hash of its Name. */
export function attesterOf(ak: PublicArea, ekName: Buffer): Attester {
  const root = Buffer.alloc(4);
  root.writeUInt32BE(ENDORSEMENT_HIERARCHY);
  const algorithm = ekName.length === 50 ? 'sha384' : 'sha256';
  const digest = hash(algorithm, Buffer.concat([root, ekName]), 'buffer');
  const ekQualified = Buffer.concat([ekName.subarray(0, 2), digest]);
  return { ...signingKey(ak), name: ak.name, qualifiedName: qualifiedName(ekQualified, ak) };
}

/** `pcrs`: the values that are said to have been quoted, PCR 0 first. */
export interface QuoteEvidence {
  readonly quoted: Buffer;
  readonly signature: Buffer;
  readonly pcrs: readonly Buffer[];
}

/**
 * Everything but freshness: magic, type, signer, signature, selection, values. What it returns was signed by the
 * attester's TPM, at some time. Throws AttestationRefusal.
 */
export function verifyQuote(evidence: QuoteEvidence, attester: Attester): QuoteStructure {
  const quote = parseQuote(evidence.quoted);
  if (!quote.qualifiedSigner.equals(attester.qualifiedName)) throw new AttestationRefusal('signer-other');
  verifySignature(evidence.quoted, evidence.signature, attester);
  checkSelection(quote.selections);
  checkValues(evidence.pcrs, quote.pcrDigest);
  return quote;
}

/** A TPM signs whatever selection it is asked for, even an empty one. */
function checkSelection(selections: readonly PcrSelection[]): void {
  const [selection, second] = selections;
  if (selection === undefined) throw new AttestationRefusal('selection-none');
  if (second !== undefined) throw new AttestationRefusal('selection-several');
  if (selection.bank !== ALG.SHA256) throw new AttestationRefusal('selection-bank');
  const [first = 0, ...others] = selection.bitmap;
  const beyond = others.some((bits) => bits !== 0);
  if (first === 0 && !beyond) throw new AttestationRefusal('selection-empty');
  if (first !== 0xff) throw new AttestationRefusal('selection-subset');
  if (beyond) throw new AttestationRefusal('selection-superset');
}

function checkValues(pcrs: readonly Buffer[], digest: Buffer): void {
  if (pcrs.length < QUOTED) throw new AttestationRefusal('pcr-missing');
  if (pcrs.length > QUOTED) throw new AttestationRefusal('pcr-extra');
  if (pcrs.some((pcr) => pcr.length !== PCR_SIZE)) throw new AttestationRefusal('pcr-length');
  if (digest.length !== PCR_SIZE) throw new AttestationRefusal('pcr-digest-length');
  if (!hash('sha256', Buffer.concat(pcrs), 'buffer').equals(digest)) {
    throw new AttestationRefusal('pcr-digest-mismatch');
  }
}

/** That a quote answers this challenge. Throws AttestationRefusal with a code beginning `nonce-`. */
export function checkFreshness(quote: QuoteStructure, expected: Buffer): void {
  const { extraData } = quote;
  if (extraData.equals(expected)) return;
  if (extraData.length === 0) throw new AttestationRefusal('nonce-empty');
  if (extraData.length !== EXTRA_DATA_SIZE) throw new AttestationRefusal('nonce-length');
  throw new AttestationRefusal('nonce-wrong');
}

export interface KeyCertification {
  readonly certifyInfo: Buffer;
  readonly certifySignature: Buffer;
}

/**
 * That the attester's TPM holds this session key, and says so now: `expected` is the extraData the quote has too.
 * Throws AttestationRefusal.
 */
export function verifyCertification(
  { certifyInfo, certifySignature }: KeyCertification,
  key: PublicArea,
  attester: Attester,
  expected: Buffer,
): void {
  if (key.name.equals(attester.name)) throw new AttestationRefusal('bound-key-is-ak');
  const certified = parseCertify(certifyInfo);
  if (!certified.qualifiedSigner.equals(attester.qualifiedName)) throw new AttestationRefusal('signer-other');
  verifySignature(certifyInfo, certifySignature, attester);
  if (!certified.name.equals(key.name)) throw new AttestationRefusal('bound-key-other');
  if (!certified.extraData.equals(expected)) throw new AttestationRefusal('certify-old');
  checkSessionKey(key);
}
