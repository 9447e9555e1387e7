// Which keys may be an endorsement key, an attestation key or a session's key. Without these checks the rest proves
// nothing: an unrestricted key passes ActivateCredential and signs a perfect forged quote.
import { ALG, ATTRIBUTE, hashOf } from './algorithms.ts';
import type { PublicArea } from './public-area.ts';
import type { ReasonCode } from './reasons.ts';
import { AttestationRefusal } from './refusal.ts';

/**
 * Attributes and policies of the TCG EK Credential Profile 2.6: templates of the low range (PolicySecret of the
 * endorsement hierarchy, `A`) and of the high range (`B`, which an owner may also authorise), by the hash of Names.
 */
const EK_TEMPLATES: readonly {
  readonly attributes: number;
  readonly policies: Readonly<Record<string, string>>;
}[] = [
  {
    attributes: 0x000300b2,
    policies: {
      sha256: '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa',
      sha384:
        '8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53',
    },
  },
  {
    attributes: 0x000300f2,
    policies: {
      sha256: 'ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0',
      sha384:
        'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
    },
  },
];

/** RSA 2048 and P-256 keys have Names by SHA-256 and protect by AES-128; P-384 ones SHA-384 and AES-256. */
export function checkEndorsementKey(ek: PublicArea): void {
  const strong = ek.unique.type === 'ecc' && ek.unique.curve === 'P-384';
  const policy = ek.policy.toString('hex');
  const matches = EK_TEMPLATES.some(
    ({ attributes, policies }) => ek.attributes === attributes && policies[ek.nameAlgorithm.name] === policy,
  );
  const fits =
    matches &&
    ek.nameAlgorithm.name === (strong ? 'sha384' : 'sha256') &&
    ek.symmetricBits === (strong ? 256 : 128) &&
    ek.scheme.algorithm === ALG.NULL;
  if (!fits) throw new AttestationRefusal('ek-template');
}

const AK_MUST: readonly (readonly [bits: number, code: ReasonCode])[] = [
  [ATTRIBUTE.RESTRICTED, 'ak-not-restricted'],
  [ATTRIBUTE.SIGN, 'ak-cannot-sign'],
  [ATTRIBUTE.FIXED_TPM | ATTRIBUTE.FIXED_PARENT, 'ak-not-fixed-tpm'],
  [ATTRIBUTE.SENSITIVE_DATA_ORIGIN, 'ak-imported'],
];

export function checkAttestationKey(ak: PublicArea): void {
  // Only then: a restricted decryption key is a storage key, and says nothing about signing.
  if ((ak.attributes & ATTRIBUTE.DECRYPT) !== 0) throw new AttestationRefusal('ak-decrypts');
  for (const [bits, code] of AK_MUST) {
    if ((ak.attributes & bits) !== bits) throw new AttestationRefusal(code);
  }
  const { algorithm, hash } = ak.scheme;
  const suits = ak.unique.type === 'rsa' ? isRsaScheme(algorithm) : algorithm === ALG.ECDSA;
  if (!suits || hash === undefined || hashOf(hash) === undefined || ak.symmetricBits !== 0) {
    throw new AttestationRefusal('ak-scheme');
  }
}

function isRsaScheme(algorithm: number): boolean {
  return algorithm === ALG.RSASSA || algorithm === ALG.RSAPSS;
}

const SESSION_KEY_MUST =
  ATTRIBUTE.SIGN | ATTRIBUTE.FIXED_TPM | ATTRIBUTE.FIXED_PARENT | ATTRIBUTE.SENSITIVE_DATA_ORIGIN;
const SESSION_KEY_NEVER = ATTRIBUTE.RESTRICTED | ATTRIBUTE.DECRYPT;

/** ECDSA with P-256 (ES256), which DPoP proofs are signed with (RFC 9449); never leaves its TPM. */
export function checkSessionKey(key: PublicArea): void {
  const { attributes, unique, scheme } = key;
  const fits =
    (attributes & SESSION_KEY_MUST) === SESSION_KEY_MUST &&
    (attributes & SESSION_KEY_NEVER) === 0 &&
    unique.type === 'ecc' &&
    unique.curve === 'P-256' &&
    (scheme.algorithm === ALG.NULL || (scheme.algorithm === ALG.ECDSA && scheme.hash === ALG.SHA256));
  if (!fits) throw new AttestationRefusal('bound-key-attributes');
}
