// Whether the key of a certificate request is in a TPM for good. Each certificate is proved anew: a TPM of a trusted maker
// opens a credential that only it can open, and its attestation key then says of the key, with what was in the credential
// and over this very request, that it was made there and cannot leave.
import { type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  type EnrolChallenge,
  type EnrolRequest,
  type KeyProof,
  keyProofBinding,
} from '#connectors/wire/evidence';
import {
  bindingOf,
  deviceId,
  digestOf,
  type EnrolmentSettings,
  keyOf,
  REMEMBERED,
  SECRET_SIZE,
} from './enrolment.ts';
import { makeCredential } from './make-credential.ts';
import { parsePublicArea } from './public-area.ts';
import { attesterOf, verifyCertification } from './quote.ts';
import { AttestationRefusal } from './refusal.ts';

export class KeyProofs {
  readonly #settings: Omit<EnrolmentSettings, 'pinnedKeys'>;

  constructor(settings: Omit<EnrolmentSettings, 'pinnedKeys'>) {
    this.#settings = settings;
  }

  /** A credential for the TPM with these keys. Throws AttestationRefusal. */
  async begin(offer: EnrolRequest): Promise<EnrolChallenge> {
    const { store, challengeLife, now } = this.#settings;
    // Whatever an admin named by its endorsement key alone is in a TPM by that admin's word: that proves nothing here.
    const { ek, binding } = bindingOf(offer, { ...this.#settings, pinnedKeys: false }, false);
    await this.#standing(binding.ekName);
    const secret = randomBytes(SECRET_SIZE);
    const enrolment = randomBytes(16).toString('base64url');
    const expiresAt = now() + challengeLife;
    await store.put(
      'attestationChallenge',
      keyOf(enrolment),
      { purpose: 'key', binding, secret: digestOf(secret).toString('base64url'), expiresAt },
      expiresAt + REMEMBERED,
    );
    return { enrolment, ...makeCredential(ek, Buffer.from(binding.akName, 'hex'), secret) };
  }

  /** Resolves when `key`, that of `csr` (PEM as sent), is proved. A proof is looked at once. Throws AttestationRefusal. */
  async check(proof: KeyProof, csr: string, key: KeyObject): Promise<void> {
    const { store, now } = this.#settings;
    const challenge = await store.take('attestationChallenge', keyOf(proof.enrolment));
    if (challenge?.purpose !== 'key') throw new AttestationRefusal('challenge-burnt');
    const { binding, secret, expiresAt } = challenge;
    if (expiresAt <= now()) throw new AttestationRefusal('challenge-expired');
    if (!timingSafeEqual(digestOf(proof.secret), Buffer.from(secret, 'base64url'))) {
      throw new AttestationRefusal('secret-wrong');
    }
    await this.#standing(binding.ekName);
    const certified = parsePublicArea(proof.public);
    if (!certified.key.equals(key)) throw new AttestationRefusal('bound-key-other');
    const ak = parsePublicArea(Buffer.from(binding.akPublic, 'base64url'));
    const attester = attesterOf(ak, Buffer.from(binding.ekName, 'hex'));
    verifyCertification(proof, certified, attester, keyProofBinding(proof.secret, csr));
  }

  /** A machine that an admin revoked vouches for nothing any more. */
  async #standing(ekName: string): Promise<void> {
    const device = deviceId(ekName);
    if ((await this.#settings.store.get('deviceRevocation', device)) !== undefined) {
      throw new AttestationRefusal('device-revoked', device);
    }
  }
}
