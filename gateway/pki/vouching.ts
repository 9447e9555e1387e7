// Whether a certificate came from an authority of ours: leaf, intermediate, root, each signed by the next and in time.
// TLS has followed the chain already; this is the second look that names the authority.
import { createHash, X509Certificate } from 'node:crypto';
import { parseCertificate } from '#gateway/attest/certificate';
import type { PublicHalf } from './issued.ts';

export class Vouching {
  readonly #root: X509Certificate;
  readonly #known: readonly X509Certificate[];
  /** SHA-256 of the root's DER, lower-case hex. */
  readonly fingerprint: string;

  constructor({ certificate, intermediates }: PublicHalf) {
    this.#root = new X509Certificate(certificate);
    this.#known = intermediates.map((text) => new X509Certificate(text));
    this.fingerprint = createHash('sha256').update(this.#root.raw).digest('hex');
  }

  /** `shown`: what the leaf came with, where that is not its issuerCertificate. */
  vouchesFor(
    leaf: X509Certificate,
    now: number,
    shown: X509Certificate | undefined = leaf.issuerCertificate,
  ): boolean {
    // Other gateways of the installation have intermediates of their own, which their clients show.
    const candidates = shown === undefined ? this.#known : [...this.#known, shown];
    return candidates.some(
      (issuer) =>
        signs(issuer, leaf) &&
        signs(this.#root, issuer) &&
        [leaf, issuer, this.#root].every((one) => inTime(one, now)) &&
        mayIssue(issuer),
    );
  }
}

function signs(issuer: X509Certificate, child: X509Certificate): boolean {
  return child.checkIssued(issuer) && child.verify(issuer.publicKey);
}

function mayIssue({ raw }: X509Certificate): boolean {
  const { basicConstraints } = parseCertificate(raw);
  return basicConstraints?.ca === true;
}

function inTime({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now < Date.parse(validTo);
}
