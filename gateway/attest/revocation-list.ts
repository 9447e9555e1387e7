// Certificate revocation lists (RFC 5280, section 5): whole lists of one issuer; deltas and indirect ones are refused.
import {
  booleanOf,
  DER,
  DerError,
  DerReader,
  integerHex,
  oid,
  smallInteger,
  timeOf,
  wholeElement,
} from './der.ts';
import { parseSigned, type Signed } from './signed.ts';

export interface RevocationList {
  readonly signed: Signed;
  readonly issuer: Buffer;
  /** Epoch milliseconds; a list that never ends is as good as none. */
  readonly nextUpdate: number;
  /** Serial numbers, hex. */
  readonly revoked: ReadonlySet<string>;
}

/** `removeFromCRL` has a meaning only in deltas. */
const REASON_CODE = oid('2.5.29.21');
const REMOVE_FROM_CRL = 8;

/** Throws DerError. */
export function parseRevocationList(der: Buffer): RevocationList {
  const signed = parseSigned(der);
  const body = new DerReader(wholeElement(signed.body, DER.SEQUENCE).content);
  const version = body.optional(DER.INTEGER);
  if (version !== undefined && smallInteger(version) !== 1) throw new DerError('unknown version');
  const algorithm = body.next(DER.SEQUENCE).raw;
  if (!algorithm.equals(signed.algorithm)) throw new DerError('two algorithms');
  const issuer = body.next(DER.SEQUENCE).raw;
  timeOf(body);
  const nextUpdate = timeOf(body);
  const entries = body.optional(DER.SEQUENCE);
  const extensions = body.optional(0xa0);
  body.end();
  if (extensions !== undefined) refuseCritical(wholeElement(extensions.content, DER.SEQUENCE).content);
  const revoked = new Set<string>();
  const list = new DerReader(entries?.content ?? Buffer.alloc(0));
  while (!list.atEnd) {
    const entry = list.enter(DER.SEQUENCE);
    const serial = integerHex(entry.next(DER.INTEGER));
    timeOf(entry);
    const more = entry.optional(DER.SEQUENCE);
    entry.end();
    if (more !== undefined) refuseCritical(more.content);
    revoked.add(serial);
  }
  return { signed, issuer, nextUpdate, revoked };
}

/** Indirect, partial and delta lists say so in critical extensions; read as a whole list they would hide some. */
function refuseCritical(extensions: Buffer): void {
  const list = new DerReader(extensions);
  while (!list.atEnd) {
    const one = list.enter(DER.SEQUENCE);
    const name = one.next(DER.OID).content.toString('hex');
    const flag = one.optional(DER.BOOLEAN);
    const value = one.next(DER.OCTET_STRING).content;
    one.end();
    if (flag !== undefined && booleanOf(flag)) throw new DerError('a critical extension that is not known');
    if (name === REASON_CODE && wholeElement(value, DER.ENUMERATED).content[0] === REMOVE_FROM_CRL) {
      throw new DerError('an entry of a delta');
    }
  }
}
