// The recorded, versioned input of one decision: everything the evaluator may look at, and nothing else.
// It must never hold a secret, and a later version of Sallyport must be able to read it back.

/** Bumped when a field changes its meaning; readers upgrade older records. */
export const INPUT_VERSION = 1;

/** Where a private key is: proved to be in a TPM which it cannot leave, or not. */
export type KeyOrigin = 'tpm' | 'file';

/** Who asks. People are `<issuer>#<sub>`, services a SPIFFE id or an enrolled name. */
export interface Subject {
  readonly kind: 'user' | 'service';
  readonly id: string;
  /** For people to read in traces and pages; never decided on, since people choose it themselves. */
  readonly name?: string;
  /** Verified by the provider, or absent; a rule's `user:` matches it or the id. */
  readonly email?: string;
  /** Group names as the source gave them, prefixed by the provider's id: `idp:eng-sre`. Flattened by policy. */
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  /** Where the key is that a service with a certificate of our own authority proved itself with; else unknown. */
  readonly key?: KeyOrigin;
}

/** How the person signed in. Times are epoch milliseconds. */
export interface Login {
  readonly provider: string;
  readonly at: number;
  readonly mfaAt?: number;
  readonly amr?: readonly string[];
  readonly acr?: string;
}

/** What an Attestation Result vouches for (RFC 9334). Absent fields are unknown facts. */
export interface Posture {
  readonly attested?: boolean;
  readonly secureBoot?: boolean;
  readonly baseline?: boolean;
  readonly sameBoot?: boolean;
  readonly hardwareKey?: boolean;
  readonly firmware?: string;
  /** Epoch milliseconds of the last accepted quote. */
  readonly quotedAt?: number;
}

/** What no rule about a machine finds fault with, as far as it goes without a clock: for trying what would help. */
export const GOOD_POSTURE: Omit<Posture, 'quotedAt'> = {
  attested: true,
  secureBoot: true,
  baseline: true,
  sameBoot: true,
  hardwareKey: true,
  firmware: '999999999',
};

/** The machine the request comes from. */
export interface Device extends Posture {
  readonly id: string;
}

/** The connector the request goes through, with the posture of the machine it runs on. */
export interface Connector extends Posture {
  readonly name: string;
  /** Id of that machine, once it has attested. */
  readonly device?: string;
}

/** What is known of the workload behind the app. Absent fields are unknown facts. */
export interface Workload {
  readonly signedBy?: readonly string[];
  readonly provenance?: readonly string[];
  readonly worstCve?: 'none' | 'low' | 'medium' | 'high' | 'critical';
  readonly scannedAt?: number;
}

/** One access request. `path` is the canonical path that will be forwarded, byte for byte. */
export interface AccessRequest {
  readonly version: typeof INPUT_VERSION;
  /** Epoch milliseconds at which the decision was asked for. */
  readonly at: number;
  readonly subject: Subject;
  readonly login?: Login;
  readonly device?: Device;
  readonly target: {
    readonly app: string;
    readonly protocol: 'http' | 'tcp';
    /** HTTP only, upper case. */
    readonly method?: string;
    /** HTTP only, without the query. */
    readonly path?: string;
  };
  readonly network: {
    /** Canonical text form, IPv4-mapped addresses as IPv4. */
    readonly address: string;
    /** ISO 3166-1 alpha-2, or `private` for addresses that have no country. */
    readonly country?: string;
    readonly asn?: number;
    /** Names of the threat feeds that list the address; absent while feeds are not loaded. */
    readonly feeds?: readonly string[];
  };
  readonly risk?: number;
  readonly ticket?: 'open' | 'none';
  readonly approved?: boolean;
  readonly workload?: Workload;
  /** Only where a rule of the app asks for it. */
  readonly connector?: Connector;
}
