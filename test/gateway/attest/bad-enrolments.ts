// Enrolments that have to be refused: one case for each way a key, a certificate or a ceremony is wrong.
import type { KeyObject } from 'node:crypto';
import { Endorsements } from '#gateway/attest/endorsements';
import type { ReasonCode } from '#gateway/attest/reasons';
import { u16, u32 } from './big-endian.ts';
import {
  basicConstraints,
  EndorsementCa,
  endorsementExtensions,
  keyUsage,
  purpose,
  tpmName,
  UNKNOWN_CRITICAL,
} from './endorsement-ca.ts';
import type { Laboratory } from './laboratory.ts';
import { akTemplate, ECDSA, EK_TEMPLATE, newKey, publicArea, RSASSA, SoftwareTpm } from './software-tpm.ts';

export interface BadEnrolment {
  readonly name: string;
  readonly code: ReasonCode;
  /** Has to end in a refusal. */
  readonly enrol: (lab: Laboratory) => Promise<unknown>;
}

/** An enrolment in which one of the three things sent is another. */
function sent(
  name: string,
  code: ReasonCode,
  change: (
    tpm: SoftwareTpm,
    lab: Laboratory,
  ) => { ekCertificate?: Buffer | undefined; ekPublic?: Buffer; akPublic?: Buffer },
): BadEnrolment {
  const enrol = async (lab: Laboratory): Promise<unknown> => {
    const tpm = new SoftwareTpm();
    const certificate = lab.ca.endorse(tpm.ek.publicKey);
    const { ekPublic = tpm.ekPublic, akPublic = tpm.akPublic, ...rest } = change(tpm, lab);
    const ekCertificate = 'ekCertificate' in rest ? rest.ekCertificate : certificate;
    const token = await lab.token();
    return lab.verifier.enrol({
      ...{ token, ekPublic, akPublic },
      ...(ekCertificate === undefined ? {} : { ekCertificate }),
    });
  };
  return { name, code, enrol };
}

const RESTRICTED_SIGNING = 0x00050472;
const without = (bits: number): number => RESTRICTED_SIGNING & ~bits;
const ak =
  (attributes: number, scheme = ECDSA) =>
  (tpm: SoftwareTpm) => ({
    akPublic: publicArea(tpm.ak.publicKey, akTemplate(scheme, attributes)),
  });
/** The last coordinate of a P-256 key with one bit changed. */
const offCurve = (area: Buffer): Buffer => area.fill(area.readUInt8(area.length - 1) ^ 1, area.length - 1);
const rsaArea = (change: (area: Buffer) => Buffer) => (): { akPublic: Buffer } => ({
  akPublic: change(publicArea(newKey('rsa').publicKey, akTemplate(RSASSA))),
});
/** Offsets in the public area of an RSA AK: type, nameAlg, attributes, policy, symmetric and scheme come before. */
const KEY_BITS = 2 + 2 + 4 + 2 + 2 + 4;

/** A number of 2048 bits whose remainders are those of 65537 ** 77, as all keys of the broken generator have some. */
function rocaModulus(): Buffer {
  const primorial = [...Array(168).keys()]
    .slice(2)
    .filter((n) => [2, 3, 5, 7, 11, 13].every((prime) => n === prime || n % prime !== 0))
    .reduce((product, prime) => product * BigInt(prime), 1n);
  let power = 1n;
  for (let n = 0; n < 77; n += 1) power = (power * 65537n) % primorial;
  const near = (1n << 2047n) + (1n << 2000n);
  return Buffer.from((near - (near % primorial) + power).toString(16), 'hex');
}

const KEYS: readonly BadEnrolment[] = [
  sent('key off its curve', 'key-off-curve', (tpm) => ({ akPublic: offCurve(Buffer.from(tpm.akPublic)) })),
  sent('reserved attribute bit', 'key-reserved-bits', ak(RESTRICTED_SIGNING | 0x80000000)),
  sent('key cut short', 'key-truncated', (tpm) => ({ akPublic: tpm.akPublic.subarray(0, -1) })),
  sent('key with trailing bytes', 'key-trailing', (tpm) => ({
    akPublic: Buffer.concat([tpm.akPublic, Buffer.of(0)]),
  })),
  sent('key of an unknown algorithm', 'key-algorithm', (tpm) => ({
    akPublic: Buffer.concat([u16(8), tpm.akPublic.subarray(2)]),
  })),
  sent(
    'RSA key of 1024 bits',
    'key-size',
    rsaArea((area) => Buffer.concat([area.subarray(0, KEY_BITS), u16(1024), area.subarray(KEY_BITS + 2)])),
  ),
  sent(
    'RSA key with exponent 3',
    'key-exponent',
    rsaArea((area) => Buffer.concat([area.subarray(0, KEY_BITS + 2), u32(3), area.subarray(KEY_BITS + 6)])),
  ),
  sent(
    'RSA key that can be broken',
    'key-roca',
    rsaArea((area) => Buffer.concat([area.subarray(0, -256), rocaModulus()])),
  ),
  sent('AK not restricted', 'ak-not-restricted', ak(without(1 << 16))),
  sent('AK not fixedTPM', 'ak-not-fixed-tpm', ak(without(1 << 1))),
  sent('AK imported', 'ak-imported', ak(without(1 << 5))),
  sent('AK decrypts', 'ak-decrypts', ak(RESTRICTED_SIGNING | (1 << 17))),
  sent('AK cannot sign', 'ak-cannot-sign', ak(without(1 << 18))),
  sent('AK signing over SHA-1', 'ak-scheme', ak(RESTRICTED_SIGNING, Buffer.concat([u16(0x18), u16(4)]))),
  sent('wrong EK template', 'ek-template', (tpm) => ({
    ekPublic: publicArea(tpm.ek.publicKey, { ...EK_TEMPLATE, attributes: 0x000300f2 }),
  })),
];

/** An enrolment whose certificate is made otherwise. */
function certified(
  name: string,
  code: ReasonCode,
  make: (ek: KeyObject, ca: EndorsementCa) => Buffer,
): BadEnrolment {
  return sent(name, code, (tpm, lab) => ({ ekCertificate: make(tpm.ek.publicKey, lab.ca) }));
}

const YEAR = 365 * 86_400_000;
const DAY_OF_TESTS = Date.UTC(2026, 5, 1);

/** The same with a chain of its own, of which `roots` are trusted. */
function chained(
  name: string,
  code: ReasonCode,
  make: (ek: KeyObject) => { endorsements: Endorsements; certificate: Buffer },
): BadEnrolment {
  const enrol = async (lab: Laboratory): Promise<unknown> => {
    const tpm = new SoftwareTpm();
    const { endorsements, certificate } = make(tpm.ek.publicKey);
    const former = lab.endorsements;
    lab.endorsements = endorsements;
    try {
      const { ekPublic, akPublic } = tpm;
      return await lab.verifier.enrol({
        token: await lab.token(),
        ekCertificate: certificate,
        ekPublic,
        akPublic,
      });
    } finally {
      lab.endorsements = former;
    }
  };
  return { name, code, enrol };
}

const CERTIFICATES: readonly BadEnrolment[] = [
  sent('no certificate', 'ek-certificate-missing', () => ({ ekCertificate: undefined })),
  certified('certificate that is none', 'ek-certificate-malformed', (ek, ca) =>
    ca.endorse(ek).subarray(0, -1),
  ),
  certified('certificate of another EK', 'ek-certificate-other-key', (_, ca) =>
    ca.endorse(newKey('p256').publicKey),
  ),
  certified('certificate of an untrusted CA', 'ek-chain-untrusted', (ek) =>
    new EndorsementCa('Nobody').endorse(ek),
  ),
  certified(
    "certificate of an untrusted CA with the trusted one's name",
    'ek-certificate-signature',
    (ek, ca) => new EndorsementCa(ca.common).endorse(ek),
  ),
  certified('certificate without the purpose', 'ek-certificate-purpose', (ek, ca) =>
    ca.endorse(ek, { extensions: endorsementExtensions('ecc', { without: purpose().oid }) }),
  ),
  certified('certificate of a CA', 'ek-certificate-is-ca', (ek, ca) =>
    ca.endorse(ek, { extensions: endorsementExtensions('ecc', { more: [basicConstraints(true)] }) }),
  ),
  certified('wrong key usage', 'ek-certificate-key-usage', (ek, ca) =>
    ca.endorse(ek, { extensions: endorsementExtensions('ecc', { more: [keyUsage(0x80)] }) }),
  ),
  certified('certificate that names no TPM', 'ek-certificate-no-tpm-name', (ek, ca) =>
    ca.endorse(ek, {
      extensions: endorsementExtensions('ecc', { more: [tpmName([['2.23.133.2.1', 'id:1']])] }),
    }),
  ),
  certified('expired', 'ek-certificate-expired', (ek, ca) =>
    ca.endorse(ek, { notAfter: DAY_OF_TESTS - 1000 }),
  ),
  certified('not valid yet', 'ek-certificate-not-yet-valid', (ek, ca) =>
    ca.endorse(ek, { notBefore: DAY_OF_TESTS + YEAR / 2 }),
  ),
  certified('unknown critical extension', 'ek-certificate-critical-extension', (ek, ca) =>
    ca.endorse(ek, { extensions: endorsementExtensions('ecc', { more: [UNKNOWN_CRITICAL] }) }),
  ),
  certified('signed over SHA-1', 'ek-certificate-weak', (ek, ca) => ca.endorse(ek, { algorithm: 'sha1' })),
  chained('issuer not a CA', 'ek-issuer-not-ca', (ek) => {
    const root = new EndorsementCa('Root');
    const issuer = new EndorsementCa('Issuer', root, [basicConstraints(false), keyUsage(0x06)]);
    return {
      endorsements: new Endorsements({ roots: [root.certificate], intermediates: [issuer.certificate] }),
      certificate: issuer.endorse(ek),
    };
  }),
  chained('more CAs than the root allows', 'ek-issuer-path-length', (ek) => {
    const root = new EndorsementCa('Root', undefined, [basicConstraints(true, 0), keyUsage(0x06)]);
    const issuer = new EndorsementCa('Issuer', root);
    return {
      endorsements: new Endorsements({ roots: [root.certificate], intermediates: [issuer.certificate] }),
      certificate: issuer.endorse(ek),
    };
  }),
  chained('revoked', 'ek-certificate-revoked', (ek) => {
    const root = new EndorsementCa('Root');
    return {
      endorsements: new Endorsements({ roots: [root.certificate], revocationLists: [root.revoke([7])] }),
      certificate: root.endorse(ek),
    };
  }),
  chained('revocation list out of date', 'ek-revocation-stale', (ek) => {
    const root = new EndorsementCa('Root');
    const list = root.revoke([], DAY_OF_TESTS - 1000);
    return {
      endorsements: new Endorsements({ roots: [root.certificate], revocationLists: [list] }),
      certificate: root.endorse(ek),
    };
  }),
];

async function begun(lab: Laboratory, grant = {}): Promise<{ enrolment: string; secret: Buffer }> {
  const tpm = new SoftwareTpm();
  const { ekPublic, akPublic } = tpm;
  const ekCertificate = lab.ca.endorse(tpm.ek.publicKey);
  const token = await lab.token(grant);
  const challenge = await lab.verifier.enrol({ token, ekCertificate, ekPublic, akPublic });
  return {
    enrolment: challenge.enrolment,
    secret: tpm.activate(challenge.credentialBlob, challenge.encryptedSecret),
  };
}

const CEREMONY: readonly BadEnrolment[] = [
  {
    name: 'token for a connector, brought to the portal',
    code: 'token-elsewhere',
    enrol: (lab) => begun(lab, { connector: 'rack-1' }),
  },
  {
    name: 'wrong secret',
    code: 'secret-wrong',
    enrol: async (lab) => lab.verifier.activate({ ...(await begun(lab)), secret: Buffer.alloc(32) }),
  },
  {
    name: 'burnt challenge: the right secret after a wrong one',
    code: 'challenge-burnt',
    enrol: async (lab) => {
      const answer = await begun(lab);
      await lab.verifier.activate({ ...answer, secret: Buffer.alloc(32) }).catch(() => {});
      return lab.verifier.activate(answer);
    },
  },
  {
    name: 'expired challenge',
    code: 'challenge-expired',
    enrol: async (lab) => {
      const answer = await begun(lab);
      lab.time += 60_000;
      return lab.verifier.activate(answer);
    },
  },
  {
    name: 'EK already enrolled',
    code: 'ek-enrolled',
    enrol: async (lab) => {
      const tpm = new SoftwareTpm();
      await lab.enrol(tpm);
      return lab.enrol(tpm);
    },
  },
  {
    name: 'name already taken',
    code: 'name-taken',
    enrol: async (lab) => {
      await lab.enrol(new SoftwareTpm(), { name: 'taken' });
      return lab.enrol(new SoftwareTpm(), { name: 'taken' });
    },
  },
  {
    name: 'token used twice',
    code: 'token-used',
    enrol: async (lab) => {
      const token = await lab.token();
      const tpm = new SoftwareTpm();
      const request = { token, ekPublic: tpm.ekPublic, akPublic: tpm.akPublic };
      const ekCertificate = lab.ca.endorse(tpm.ek.publicKey);
      await lab.verifier.enrol({ ...request, ekCertificate });
      return lab.verifier.enrol({ ...request, ekCertificate });
    },
  },
  {
    name: 'challenge for a device that is not enrolled',
    code: 'device-unknown',
    enrol: (lab) => lab.verifier.challenge('nobody'),
  },
];

export const BAD_ENROLMENTS: readonly BadEnrolment[] = [...KEYS, ...CERTIFICATES, ...CEREMONY];
