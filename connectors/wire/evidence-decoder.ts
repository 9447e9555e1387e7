// Reads the messages of the evidence format. It believes nothing beyond its limits, takes no member it does not know,
// and only the one canonical spelling of bytes: what is accepted here is exactly what was appraised.
import {
  type ActivateRequest,
  type Attestation,
  type AttestationReply,
  type ChallengeReply,
  type ChallengeRequest,
  type EnrolChallenge,
  type EnrolReply,
  type EnrolRequest,
  EVIDENCE_LIMITS,
  EvidenceError,
  type KeyProof,
} from './evidence.ts';

/** @throws {EvidenceError} */
export function decodeEnrolRequest(json: unknown): EnrolRequest {
  const at = new Reader(json, ['token', 'ekCertificate', 'ekIntermediates', 'ekPublic', 'akPublic']);
  return {
    ...(at.has('token') ? { token: at.text('token', EVIDENCE_LIMITS.token) } : {}),
    ...(at.has('ekCertificate')
      ? { ekCertificate: at.bytes('ekCertificate', EVIDENCE_LIMITS.certificate) }
      : {}),
    ...(at.has('ekIntermediates')
      ? {
          ekIntermediates: at.list(
            'ekIntermediates',
            EVIDENCE_LIMITS.intermediates,
            EVIDENCE_LIMITS.structure,
          ),
        }
      : {}),
    ekPublic: at.bytes('ekPublic', EVIDENCE_LIMITS.structure),
    akPublic: at.bytes('akPublic', EVIDENCE_LIMITS.structure),
  };
}

/** @throws {EvidenceError} */
export function decodeEnrolChallenge(json: unknown): EnrolChallenge {
  const at = new Reader(json, ['enrolment', 'credentialBlob', 'encryptedSecret']);
  return {
    enrolment: at.text('enrolment', EVIDENCE_LIMITS.token),
    credentialBlob: at.bytes('credentialBlob', EVIDENCE_LIMITS.structure),
    encryptedSecret: at.bytes('encryptedSecret', EVIDENCE_LIMITS.structure),
  };
}

/** @throws {EvidenceError} */
export function decodeActivateRequest(json: unknown): ActivateRequest {
  const at = new Reader(json, ['enrolment', 'secret']);
  return {
    enrolment: at.text('enrolment', EVIDENCE_LIMITS.token),
    secret: at.bytes('secret', EVIDENCE_LIMITS.digest),
  };
}

/** @throws {EvidenceError} */
export function decodeKeyProof(json: unknown): KeyProof {
  const at = new Reader(json, ['enrolment', 'secret', 'public', 'certifyInfo', 'certifySignature']);
  const { structure, digest, token } = EVIDENCE_LIMITS;
  return {
    enrolment: at.text('enrolment', token),
    secret: at.bytes('secret', digest),
    public: at.bytes('public', structure),
    certifyInfo: at.bytes('certifyInfo', structure),
    certifySignature: at.bytes('certifySignature', structure),
  };
}

/** @throws {EvidenceError} */
export function decodeEnrolReply(json: unknown): EnrolReply {
  const at = new Reader(json, ['device', 'name', 'state']);
  return {
    device: at.text('device', EVIDENCE_LIMITS.token),
    name: at.text('name', EVIDENCE_LIMITS.token),
    state: at.text('state', EVIDENCE_LIMITS.token),
  };
}

/** @throws {EvidenceError} */
export function decodeChallengeRequest(json: unknown): ChallengeRequest {
  return { device: new Reader(json, ['device']).text('device', EVIDENCE_LIMITS.token) };
}

/** @throws {EvidenceError} */
export function decodeChallengeReply(json: unknown): ChallengeReply {
  return { nonce: new Reader(json, ['nonce']).bytes('nonce', EVIDENCE_LIMITS.digest) };
}

/** @throws {EvidenceError} */
export function decodeAttestation(json: unknown): Attestation {
  const at = new Reader(json, [
    ...['device', 'nonce', 'exporter', 'connectorKey', 'quoted', 'signature', 'pcrs', 'eventLog', 'key'],
  ]);
  const key = new Reader(at.member('key'), ['public', 'certifyInfo', 'certifySignature'], 'key.');
  const { structure, digest } = EVIDENCE_LIMITS;
  return {
    device: at.text('device', EVIDENCE_LIMITS.token),
    nonce: at.bytes('nonce', digest),
    ...(at.has('exporter') ? { exporter: at.bytes('exporter', digest) } : {}),
    ...(at.has('connectorKey') ? { connectorKey: at.bytes('connectorKey', digest) } : {}),
    quoted: at.bytes('quoted', structure),
    signature: at.bytes('signature', structure),
    pcrs: at.list('pcrs', EVIDENCE_LIMITS.pcrs, digest),
    eventLog: at.bytes('eventLog', EVIDENCE_LIMITS.eventLog),
    key: {
      public: key.bytes('public', structure),
      certifyInfo: key.bytes('certifyInfo', structure),
      certifySignature: key.bytes('certifySignature', structure),
    },
  };
}

const STATUS = ['affirming', 'warning', 'contraindicated', 'none'] as const;
const MAX_REASONS = 64;
const MAX_SENTENCE = 512;

/** @throws {EvidenceError} */
export function decodeAttestationReply(json: unknown): AttestationReply {
  const at = new Reader(json, ['status', 'expiresAt', 'reasons', 'bound']);
  const expiresAt = at.member('expiresAt');
  if (typeof expiresAt !== 'number' || !Number.isSafeInteger(expiresAt)) {
    throw new EvidenceError('expiresAt: not epoch milliseconds');
  }
  const status = STATUS.find((one) => one === at.member('status'));
  if (status === undefined) throw new EvidenceError(`status: not one of ${STATUS.join(', ')}`);
  const reasons = at.member('reasons');
  if (!Array.isArray(reasons) || reasons.length > MAX_REASONS) {
    throw new EvidenceError(`reasons: not a list of up to ${MAX_REASONS}`);
  }
  return {
    status,
    expiresAt,
    ...(at.has('bound') ? { bound: at.member('bound') === true } : {}),
    reasons: reasons.map((one: unknown, index) => {
      const reason = new Reader(one, ['code', 'message', 'remedy'], `reasons.${index}.`);
      return {
        code: reason.text('code', MAX_SENTENCE),
        message: reason.text('message', MAX_SENTENCE),
        remedy: reason.text('remedy', MAX_SENTENCE),
      };
    }),
  };
}

const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** Reads members of one object, and nothing but those it was told of. */
class Reader {
  readonly #members: Record<string, unknown>;
  readonly #prefix: string;

  constructor(json: unknown, known: readonly string[], prefix = '') {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new EvidenceError(`${prefix === '' ? 'the message' : prefix.slice(0, -1)}: not an object`);
    }
    this.#members = json as Record<string, unknown>;
    this.#prefix = prefix;
    const unknown = Object.keys(json).find((name) => !known.includes(name));
    if (unknown !== undefined) throw this.#bad(JSON.stringify(unknown.slice(0, 40)), 'not a known member');
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  member(name: string): unknown {
    if (!this.has(name)) throw this.#bad(name, 'missing');
    return this.#members[name];
  }

  text(name: string, limit: number): string {
    const value = this.member(name);
    if (typeof value !== 'string' || value.length > limit) {
      throw this.#bad(name, `not a text of up to ${limit} characters`);
    }
    return value;
  }

  bytes(name: string, limit: number): Buffer {
    return this.#decoded(name, this.member(name), limit);
  }

  list(name: string, limit: number, each: number): Buffer[] {
    const value = this.member(name);
    if (!Array.isArray(value) || value.length > limit) throw this.#bad(name, `not a list of up to ${limit}`);
    return value.map((one: unknown, index) => this.#decoded(`${name}.${index}`, one, each));
  }

  /** Only the one way to write these bytes is taken: a second spelling would be a second piece of evidence. */
  #decoded(name: string, value: unknown, limit: number): Buffer {
    if (typeof value !== 'string' || value.length > Math.ceil((limit * 4) / 3) || !BASE64URL.test(value)) {
      throw this.#bad(name, `not base64url of up to ${limit} bytes`);
    }
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.toString('base64url') !== value) throw this.#bad(name, 'not canonical base64url');
    return bytes;
  }

  #bad(name: string, what: string): EvidenceError {
    return new EvidenceError(`${this.#prefix}${name}: ${what}`);
  }
}
