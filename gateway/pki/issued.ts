// What an authority gives out, and how it is asked: the face that listeners and desks see, wherever its keys are.
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import type { KeyOrigin } from '#policy/input';

/** A request the authority will not sign. `message` is fit for the requester. */
export class IssueError extends Error {
  readonly code: 'bad-csr' | 'bad-key' | 'not-permitted' | 'too-many';
  constructor(code: IssueError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IssueError';
    this.code = code;
  }
}

export interface Issued {
  /** PEM: the leaf, then the intermediate that signed it. */
  readonly certificate: string;
  /** Hex, upper case, as Node prints it. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  /** Key id of the intermediate that signed it, hex. */
  readonly issuer: string;
}

/** By what right a certificate is asked for. Each is used up by one certificate. */
export type Grant =
  /** A single-use token: `id` is its hash. */
  | { readonly kind: 'enrolment'; readonly id: string }
  /** The certificate that is to be renewed, whose key was proven in the handshake, and what it was shown with; PEM. */
  | { readonly kind: 'renewal'; readonly certificate: string }
  /** An administrator of this gateway. */
  | { readonly kind: 'admin'; readonly id: string };

/** Who gets a certificate, and how. */
export interface ClientWish {
  /** PKCS#10 in PEM: the key and the proof of it count, the rest of it does not. */
  readonly csr: string;
  readonly uri: string;
  /** Milliseconds. */
  readonly life: number;
  readonly grant: Grant;
  /** Where the key was proved to be: `file` if absent. */
  readonly key?: KeyOrigin | undefined;
}

/** What everybody may know of an authority, in PEM. */
export interface PublicHalf {
  /** The root: what clients are given to trust. */
  readonly certificate: string;
  /** The root, and the one CA of an earlier version while clients may know nothing else. */
  readonly bundle: string;
  /** All that issue or did, the one that issues first. */
  readonly intermediates: readonly string[];
}

export interface Authority extends PublicHalf {
  /** SHA-256 of the root's DER, lower-case hex: what an enrolment token pins. */
  readonly fingerprint: string;
  /** Certificate and fresh key (both PEM) for a TLS server of our own. Names may be DNS names or addresses. */
  issueServer(names: readonly string[], life: number): Promise<Issued & { readonly key: string }>;
  /** Certificate and fresh key (both PEM) with which one gateway proves itself to another. `life` in milliseconds. */
  issuePeer(uri: string, life: number): Promise<Issued & { readonly key: string }>;
  /** Certificate for a connector or a service. Rejects with IssueError. */
  issueClient(wish: ClientWish): Promise<Issued>;
  /**
   * True if this authority issued `certificate`, by an intermediate that it shows or we know, and both are in time.
   * `shown`: what it came with, where that is not its issuerCertificate.
   */
  vouchesFor(certificate: X509Certificate, shown?: X509Certificate): boolean;
  /** The same of a certificate that has ended, as of its end. */
  vouchedFor(certificate: X509Certificate): boolean;
  /** `listener` is called when another intermediate issues. */
  onChange(listener: () => void): void;
}

/** A key that never leaves the process that uses it. */
export function freshKey(): { readonly publicKey: KeyObject; readonly pem: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { publicKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A certificate that is to be renewed, and the one above it. Throws IssueError. */
export function certificatesIn(text: string): X509Certificate[] {
  try {
    return (text.match(PEM) ?? []).slice(0, 2).map((one) => new X509Certificate(one));
  } catch (cause) {
    throw new IssueError('not-permitted', 'what is to be renewed is no certificate', { cause });
  }
}
