// Follows a chain of certificates from a leaf to what is trusted: each issued and signed by the next.
import { X509Certificate } from 'node:crypto';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** A chain of ours has a leaf and one intermediate. */
const MAX_CERTIFICATES = 8;

/** Those in a PEM text; none if one of them cannot be read. */
export function certificatesIn(text: string): readonly X509Certificate[] {
  try {
    return (text.match(PEM) ?? []).slice(0, MAX_CERTIFICATES).map((pem) => new X509Certificate(pem));
  } catch {
    return [];
  }
}

/** True if the first of `chain` leads through the others, in their order, to one of `anchors`. */
export function leadsTo(chain: readonly X509Certificate[], anchors: readonly X509Certificate[]): boolean {
  let [child, ...others] = chain;
  while (child !== undefined) {
    if (anchors.some((anchor) => signs(anchor, child))) return true;
    const [issuer, ...more] = others;
    if (issuer?.ca !== true || !signs(issuer, child)) return false;
    [child, others] = [issuer, more];
  }
  return false;
}

function signs(issuer: X509Certificate, child: X509Certificate | undefined): boolean {
  return child?.checkIssued(issuer) === true && child.verify(issuer.publicKey);
}
