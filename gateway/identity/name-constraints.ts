// nameConstraints (RFC 5280, section 4.2.1.10), as far as SPIFFE ids go: which hosts of URIs a CA may vouch for. What
// cannot be read permits nothing.
import { DER, DerError, DerReader, wholeElement } from '#gateway/attest/der';

const URI_NAME = 0x86;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

/** `value`: the extension's. `host`: of a URI, in lower case. */
export function permitsHost(value: Buffer, host: string): boolean {
  try {
    const outer = new DerReader(wholeElement(value, DER.SEQUENCE).content);
    const permitted = hostsIn(outer.optional(PERMITTED)?.content);
    const excluded = hostsIn(outer.optional(EXCLUDED)?.content);
    outer.end();
    const matches = (base: string): boolean => (base.startsWith('.') ? host.endsWith(base) : host === base);
    // An empty base is every host.
    if (excluded.some((base) => base === '' || matches(base))) return false;
    return permitted.length === 0 || permitted.some((base) => base === '' || matches(base));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return false;
  }
}

/** The bases of the subtrees that speak of URIs. Throws DerError for subtrees with minimum or maximum: there are none. */
function hostsIn(subtrees: Buffer | undefined): string[] {
  if (subtrees === undefined) return [];
  const list = new DerReader(subtrees);
  const hosts: string[] = [];
  while (!list.atEnd) {
    const subtree = list.enter(DER.SEQUENCE);
    const base = subtree.any();
    subtree.end();
    if (base.tag === URI_NAME) hosts.push(base.content.toString('latin1').toLowerCase());
  }
  return hosts;
}
