// The certificates of authorities of ours, as they are kept: in PEM, and read twice, once for their key and once for
// what Node does not tell.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Certificate, parseCertificate } from '#gateway/attest/certificate';

export type AuthorityFailure =
  | 'root-missing'
  | 'root-offline'
  | 'root-unfit'
  | 'intermediate-missing'
  | 'intermediate-unfit'
  /** Of SSH certificates: the next one signs soon anyway. */
  | 'key-waiting';

/** The authority cannot do what it should. `message` says what to do. */
export class AuthorityError extends Error {
  readonly code: AuthorityFailure;
  constructor(code: AuthorityFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AuthorityError';
    this.code = code;
  }
}

export interface CaCertificate {
  readonly pem: string;
  readonly node: X509Certificate;
  readonly parsed: Certificate;
}

/** One that issues, or did. */
export interface Intermediate extends CaCertificate {
  /** Of its key: hex, as the authorityKeyIdentifier of what it issues. */
  readonly id: string;
  /** Undefined once nothing that it issued can be valid any more. */
  readonly keyFile: string | undefined;
}

/** Throws AuthorityError for what is no certificate. `what`: for the message. */
export function caOf(text: string, what: string): CaCertificate {
  try {
    const node = new X509Certificate(text);
    return { pem: text, node, parsed: parseCertificate(node.raw) };
  } catch (cause) {
    throw new AuthorityError('intermediate-unfit', `${what} holds no certificate in PEM`, { cause });
  }
}

/** Each of those that `text` holds, one after the other. Throws AuthorityError where one is none. */
export function casOf(text: string, what: string): readonly CaCertificate[] {
  const each = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  return (each ?? [text]).map((one) => caOf(one, what));
}

export function readCa(file: string): CaCertificate {
  return caOf(readFileSync(file, 'utf8'), file);
}
