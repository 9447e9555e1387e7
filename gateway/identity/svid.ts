// Who a service is by its X.509 certificate (X509-SVID): the one SPIFFE id in it, believed only if the chain holds
// against the bundle of that id's own trust domain. TLS knows one union of all CAs, so its verdict is not asked.
import { createPublicKey } from 'node:crypto';
import { type Certificate, CLIENT_AUTH, KEY_USAGE, parseCertificate } from '#gateway/attest/certificate';
import { DerError } from '#gateway/attest/der';
import { verifySigned } from '#gateway/attest/signed';
import { keyOriginOf } from '#gateway/pki/key-origin';
import type { KeyOrigin } from '#policy/input';
import { permitsHost } from './name-constraints.ts';

/** Certificates between a leaf and its anchor, and in what is shown at all. */
const MAX_PATH = 4;
const MAX_SHOWN = 8;
const MAX_ID = 2048;
const CA_USAGE = KEY_USAGE.KEY_CERT_SIGN | KEY_USAGE.CRL_SIGN;

/** Stable; the first of these that is wrong with a certificate. */
export type SvidFailure =
  | 'certificate-malformed'
  | 'certificate-names'
  | 'certificate-trust-domain'
  | 'certificate-is-ca'
  | 'certificate-usage'
  | 'certificate-purpose'
  | 'certificate-critical'
  | 'certificate-time'
  | 'certificate-chain'
  | 'certificate-revoked';

/** `message` is fit for whoever showed the certificate. */
export class SvidError extends Error {
  readonly code: SvidFailure;
  constructor(code: SvidFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The authorities whose word counts for one trust domain. */
export interface TrustDomain {
  readonly name: string;
  /** DER of CA certificates, roots or not. */
  readonly bundle: readonly Buffer[];
  /** What paths of its services begin with, where it also vouches for others; `/` for all. */
  readonly below: string;
  /** Our own authority, whose certificates say where keys were proved to be. */
  readonly ours?: boolean;
}

export interface Svid {
  /** `spiffe://<trust domain>/<path>` */
  readonly id: string;
  readonly trustDomain: string;
  /** Epoch milliseconds; the end is the earliest of the whole chain. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** What vouched for it; another list, when the bundle has changed since. */
  readonly anchors: readonly Certificate[];
  /** The leaf's, hex as in its DER. */
  readonly serial: string;
  /** Where its key is, if our own authority says so; of others' word on it nothing is known. */
  readonly key: KeyOrigin | undefined;
}

interface Trusted {
  readonly below: string;
  readonly ours: boolean;
  readonly anchors: readonly Certificate[];
}

export class TrustDomains {
  readonly #domains: Map<string, Trusted>;

  /** Throws SvidError for a bundle that holds what is no CA certificate. */
  constructor(domains: readonly TrustDomain[]) {
    this.#domains = new Map(
      domains.map(({ name, bundle, below, ours = false }) => [
        name,
        { below, ours, anchors: bundle.map(anchorOf) },
      ]),
    );
  }

  /** From now on these vouch for a trust domain, and nobody else. Throws SvidError for what is no CA certificate. */
  replace(name: string, bundle: readonly Buffer[]): void {
    const anchors = bundle.map(anchorOf);
    const known = this.#domains.get(name);
    if (known !== undefined) this.#domains.set(name, { ...known, anchors });
  }

  /** Whether the bundle that vouched for it is the one in force. */
  stands({ trustDomain, anchors }: Svid): boolean {
    return this.#domains.get(trustDomain)?.anchors === anchors;
  }

  /** `shown`: DER as the client sent them, the leaf first. Throws SvidError. */
  verify(shown: readonly Buffer[], now: number): Svid {
    if (shown.length > MAX_SHOWN)
      throw new SvidError('certificate-chain', 'too many certificates were shown');
    const [leaf, ...others] = shown.map(parsed);
    if (leaf === undefined) throw new SvidError('certificate-malformed', 'no certificate was shown');
    const { id, trustDomain, path } = idOf(leaf);
    const trusted = this.#domains.get(trustDomain);
    if (trusted === undefined || !path.startsWith(trusted.below)) {
      throw new SvidError('certificate-trust-domain', `nobody is trusted to vouch for ${id}`);
    }
    checkLeaf(leaf, now);
    const notAfter = pathEnd(leaf, others, trusted.anchors, { trustDomain, now });
    if (notAfter === undefined) {
      throw new SvidError(
        'certificate-chain',
        `the chain does not lead to an authority of ${trustDomain}; send the intermediates too`,
      );
    }
    const { notBefore, serial } = leaf;
    const key = trusted.ours ? keyOriginOf(leaf) : undefined;
    return { id, trustDomain, notBefore, notAfter, serial, key, anchors: trusted.anchors };
  }
}

function parsed(der: Buffer): Certificate {
  try {
    return parseCertificate(der);
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new SvidError('certificate-malformed', 'a certificate cannot be read', { cause });
  }
}

function anchorOf(der: Buffer): Certificate {
  const anchor = parsed(der);
  if (anchor.basicConstraints?.ca !== true) {
    throw new SvidError('certificate-is-ca', 'a trust bundle may hold CA certificates only');
  }
  return anchor;
}

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/;

/** The parts of a SPIFFE id (SPIFFE-ID, section 2), or undefined for anything else. */
export function spiffeId(text: string): { trustDomain: string; path: string } | undefined {
  const match = text.length > MAX_ID ? null : ID.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const dots = match[2].split('/').some((segment) => segment === '.' || segment === '..');
  return dots ? undefined : { trustDomain: match[1], path: match[2] };
}

function idOf({ uris }: Certificate): { id: string; trustDomain: string; path: string } {
  const [id, ...more] = uris;
  const parts = id === undefined || more.length > 0 ? undefined : spiffeId(id);
  if (id === undefined || parts === undefined) {
    throw new SvidError('certificate-names', 'a service’s certificate has exactly one URI, its SPIFFE id');
  }
  return { id, ...parts };
}

function checkLeaf(leaf: Certificate, now: number): void {
  if (leaf.unknownCritical)
    throw new SvidError('certificate-critical', 'it has critical extensions unknown here');
  if (leaf.basicConstraints?.ca === true) throw new SvidError('certificate-is-ca', 'a CA is no service');
  const usage = leaf.keyUsage ?? 0;
  if ((usage & KEY_USAGE.DIGITAL_SIGNATURE) === 0 || (usage & CA_USAGE) !== 0) {
    throw new SvidError(
      'certificate-usage',
      'its key must be for digital signatures and not sign certificates',
    );
  }
  if (leaf.purposes?.includes(CLIENT_AUTH) === false) {
    throw new SvidError('certificate-purpose', 'its purposes do not include clientAuth');
  }
  if (!inTime(leaf, now)) throw new SvidError('certificate-time', 'it has expired, or is not valid yet');
}

/** What a path is looked for: somebody of this trust domain, at this time. */
interface Wanted {
  readonly trustDomain: string;
  readonly now: number;
}

/**
 * When the first of a path from `leaf` to an anchor ends; undefined if there is none. The shortest paths come first, and each
 * certificate is come to once: whoever shows CAs that all vouch for each other does not make us try every way through them.
 */
function pathEnd(
  leaf: Certificate,
  others: readonly Certificate[],
  anchors: readonly Certificate[],
  wanted: Wanted,
): number | undefined {
  let reached: readonly Reached[] = [{ child: leaf, end: leaf.notAfter }];
  let left = others;
  for (let below = 0; below < MAX_PATH; below += 1) {
    const next: Reached[] = [];
    for (const { child, end } of reached) {
      const signs = (issuer: Certificate): boolean =>
        mayIssue(issuer, child, wanted, below) && signed(child, issuer);
      const anchor = anchors.find(signs);
      if (anchor !== undefined) return Math.min(end, anchor.notAfter);
      const issuers = new Set(left.filter(signs));
      left = left.filter((one) => !issuers.has(one));
      for (const issuer of issuers) next.push({ child: issuer, end: Math.min(end, issuer.notAfter) });
    }
    reached = next;
  }
  return undefined;
}

/** A certificate on the way from the leaf, and when the first of those so far ends. */
interface Reached {
  readonly child: Certificate;
  readonly end: number;
}

function mayIssue(issuer: Certificate, child: Certificate, wanted: Wanted, below: number): boolean {
  const { basicConstraints, keyUsage = 0, purposes, nameConstraints } = issuer;
  return (
    issuer.subject.equals(child.issuer) &&
    basicConstraints?.ca === true &&
    below <= (basicConstraints.pathLength ?? MAX_PATH) &&
    (keyUsage & KEY_USAGE.KEY_CERT_SIGN) !== 0 &&
    purposes?.includes(CLIENT_AUTH) !== false &&
    !issuer.unknownCritical &&
    (nameConstraints === undefined || permitsHost(nameConstraints, wanted.trustDomain)) &&
    inTime(issuer, wanted.now)
  );
}

function signed(child: Certificate, issuer: Certificate): boolean {
  try {
    const key = createPublicKey({ key: issuer.spki, format: 'der', type: 'spki' });
    return verifySigned(child.signed, key) === 'valid';
  } catch {
    // A key or an algorithm that cannot be read signs nothing.
    return false;
  }
}

function inTime({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now < notAfter;
}
