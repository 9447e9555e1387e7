// The evidence format: what is written is read back, and nothing looser is read at all.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  type Attestation,
  attestationBinding,
  EVIDENCE_LIMITS,
  EvidenceError,
  encodeEvidence,
} from '#connectors/wire/evidence';
import {
  decodeActivateRequest,
  decodeAttestation,
  decodeAttestationReply,
  decodeChallengeReply,
  decodeChallengeRequest,
  decodeEnrolChallenge,
  decodeEnrolReply,
  decodeEnrolRequest,
} from '#connectors/wire/evidence-decoder';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

const attestation: Attestation = {
  device: 'anna-laptop',
  nonce: Buffer.alloc(32, 7),
  quoted: bytes(0xff, 0x54, 0x43, 0x47),
  signature: bytes(0, 0x18),
  pcrs: Array.from({ length: 8 }, (_, index) => Buffer.alloc(32, index)),
  eventLog: Buffer.alloc(0),
  key: { public: bytes(1), certifyInfo: bytes(2), certifySignature: bytes(3) },
};

const MESSAGES: readonly (readonly [name: string, message: object, decode: (json: unknown) => object])[] = [
  [
    'enrol',
    { token: 't', ekCertificate: bytes(1), ekPublic: bytes(2), akPublic: bytes(3) },
    decodeEnrolRequest,
  ],
  [
    'enrol of a TPM with a chain of its own',
    {
      token: 't',
      ekCertificate: bytes(1),
      ekIntermediates: [bytes(3), bytes(4)],
      ekPublic: bytes(2),
      akPublic: bytes(3),
    },
    decodeEnrolRequest,
  ],
  ['enrol of an announced TPM', { ekPublic: bytes(2), akPublic: bytes(3) }, decodeEnrolRequest],
  [
    'enrol challenge',
    { enrolment: 'e', credentialBlob: bytes(1), encryptedSecret: bytes(2) },
    decodeEnrolChallenge,
  ],
  ['activate', { enrolment: 'e', secret: bytes(5) }, decodeActivateRequest],
  ['enrol reply', { device: 'd', name: 'n', state: 'pending' }, decodeEnrolReply],
  ['challenge', { device: 'd' }, decodeChallengeRequest],
  ['challenge reply', { nonce: Buffer.alloc(32) }, decodeChallengeReply],
  ['attestation', attestation, decodeAttestation],
  ['explained attestation', { ...attestation, exporter: Buffer.alloc(32, 4) }, decodeAttestation],
  [
    'attestation reply',
    { status: 'warning', expiresAt: 1, reasons: [{ code: 'c', message: 'm', remedy: 'r' }] },
    decodeAttestationReply,
  ],
];

/** Members that may be left out. */
const OPTIONAL: ReadonlySet<string> = new Set(['token', 'ekCertificate', 'ekIntermediates', 'exporter']);

describe('evidence format', () => {
  for (const [name, message, decode] of MESSAGES) {
    test(`${name}: reads back what was written`, () => {
      assert.deepEqual(decode(JSON.parse(encodeEvidence(message))), message);
    });

    test(`${name}: refuses a missing, an unknown and a mistyped member`, () => {
      const json = JSON.parse(encodeEvidence(message)) as Record<string, unknown>;
      const isEvidence = (error: Error): boolean => error instanceof EvidenceError;
      for (const member of Object.keys(json)) {
        const { [member]: _, ...rest } = json;
        if (!OPTIONAL.has(member)) assert.throws(() => decode(rest), isEvidence, `without ${member}`);
        assert.throws(() => decode({ ...json, [member]: 7.5 }), isEvidence, `${member} as a number`);
        assert.throws(() => decode({ ...json, [member]: null }), isEvidence, `${member} as null`);
      }
      assert.throws(() => decode({ ...json, further: 1 }), isEvidence);
      for (const other of [null, [], 'text', 1, undefined]) assert.throws(() => decode(other), isEvidence);
    });
  }

  test('bytes have one spelling and a limit', () => {
    const read = (nonce: string): Buffer => decodeChallengeReply({ nonce }).nonce;
    assert.deepEqual(read('AAE'), bytes(0, 1));
    for (const spelling of ['AAF', 'AAE=', 'AA+E', 'AA E', 'A', 'AA\n']) {
      assert.throws(() => read(spelling), EvidenceError, JSON.stringify(spelling));
    }
    const most = Buffer.alloc(EVIDENCE_LIMITS.digest, 1);
    assert.deepEqual(read(most.toString('base64url')), most);
    assert.throws(() => read(Buffer.alloc(EVIDENCE_LIMITS.digest + 1).toString('base64url')), EvidenceError);
  });

  test('lists have a limit', () => {
    const json = JSON.parse(encodeEvidence(attestation)) as Record<string, unknown>;
    assert.equal(decodeAttestation({ ...json, pcrs: Array(24).fill('AA') }).pcrs.length, 24);
    assert.throws(() => decodeAttestation({ ...json, pcrs: Array(25).fill('AA') }), /pcrs/);
  });

  test('the binding is the documented hash, and every part of it counts', () => {
    const parts = {
      nonce: Buffer.alloc(32, 1),
      eventLog: bytes(2),
      keySpki: bytes(3),
      exporter: Buffer.alloc(32, 4),
    };
    const sha = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
    const expected = sha(
      Buffer.concat([
        Buffer.from('sallyport-attest-v1\0'),
        parts.nonce,
        sha(parts.eventLog),
        sha(parts.keySpki),
        parts.exporter,
      ]),
    );
    assert.deepEqual(attestationBinding(parts), expected);
    const others = [
      { nonce: Buffer.alloc(32, 9) },
      { eventLog: bytes(2, 0) },
      { keySpki: bytes(4) },
      { exporter: Buffer.alloc(32, 5) },
    ];
    for (const other of others) assert.notDeepEqual(attestationBinding({ ...parts, ...other }), expected);
    assert.throws(() => attestationBinding({ ...parts, nonce: Buffer.alloc(31) }), EvidenceError);
    assert.throws(() => attestationBinding({ ...parts, exporter: Buffer.alloc(0) }), EvidenceError);
  });
});
