// Enrols devices: an admin's permission is burnt, keys and certificate are checked, and only then is a credential made
// that nobody but this TPM with this attestation key can open (TPM 2.0 Part 1, "Credential Protection").
import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ActivateRequest, EnrolChallenge, EnrolRequest } from '#connectors/wire/evidence';
import type { Store } from '#gateway/state/store';
import type { NewDeviceToken } from './device-verifier.ts';
import type { Endorsements } from './endorsements.ts';
import { checkAttestationKey, checkEndorsementKey } from './key-roles.ts';
import { makeCredential } from './make-credential.ts';
import { type PublicArea, parsePublicArea } from './public-area.ts';
import type { DeviceBinding, DeviceGrant, DeviceRecord } from './records.ts';
import { AttestationRefusal } from './refusal.ts';

/** The token's prefix, so that secret scanners and people recognise one. */
const TOKEN_PREFIX = 'sallyport-device.';
export const SECRET_SIZE = 32;
/** How long an unanswered challenge is remembered after its end, so that a late answer is told from a second one. */
export const REMEMBERED: number = 60_000;

export interface EnrolmentSettings {
  readonly store: Store;
  readonly endorsements: () => Endorsements;
  /** Milliseconds in which a challenge has to be answered, 30 to 60 s. */
  readonly challengeLife: number;
  /** Lets TPMs without certificate enrol if an admin named their endorsement key. */
  readonly pinnedKeys: boolean;
  readonly now: () => number;
}

export class Enrolment {
  readonly #settings: EnrolmentSettings;

  constructor(settings: EnrolmentSettings) {
    this.#settings = settings;
  }

  /** See DeviceVerifier.grant. Only the token's hash is kept. */
  async grant(
    grant: DeviceGrant,
    life: number,
    ekName?: string,
    first?: (expiresAt: number) => Promise<void>,
  ): Promise<NewDeviceToken> {
    const { store, now } = this.#settings;
    if (await this.#nameTaken(grant.name)) throw new AttestationRefusal('name-taken', grant.name);
    const token = TOKEN_PREFIX + randomBytes(32).toString('base64url');
    const expiresAt = now() + life;
    await first?.(expiresAt);
    await store.put('deviceGrant', ekName === undefined ? keyOf(token) : keyOfEk(ekName), grant, expiresAt);
    return { token, expiresAt };
  }

  /** See DeviceVerifier.enrol. */
  async enrol(
    request: EnrolRequest,
    connector?: string,
  ): Promise<EnrolChallenge & { readonly name: string }> {
    const { store, challengeLife, now } = this.#settings;
    const named = request.token === undefined;
    const key = named
      ? keyOfEk(parsePublicArea(request.ekPublic).name.toString('hex'))
      : keyOf(request.token);
    // Burnt before the request is looked at: of however many callers, one goes on.
    const grant = await store.take('deviceGrant', key);
    if (grant === undefined) throw new AttestationRefusal('token-used');
    try {
      if (grant.connector !== connector) throw new AttestationRefusal('token-elsewhere');
      const { ek, binding } = bindingOf(request, this.#settings, named);
      if ((await store.get('device', deviceId(binding.ekName))) !== undefined) {
        throw new AttestationRefusal('ek-enrolled');
      }
      if (await this.#nameTaken(grant.name)) throw new AttestationRefusal('name-taken');
      const secret = randomBytes(SECRET_SIZE);
      const credential = makeCredential(ek, Buffer.from(binding.akName, 'hex'), secret);
      const enrolment = randomBytes(16).toString('base64url');
      const expiresAt = now() + challengeLife;
      await store.put(
        'attestationChallenge',
        keyOf(enrolment),
        { purpose: 'activate', grant, binding, secret: digestOf(secret).toString('base64url'), expiresAt },
        expiresAt + REMEMBERED,
      );
      return { enrolment, ...credential, name: grant.name };
    } catch (refusal) {
      throw ofDevice(refusal, grant.name);
    }
  }

  /** See DeviceVerifier.activate. The id and the record of the new device. */
  async activate(
    answer: ActivateRequest,
  ): Promise<{ readonly device: string; readonly record: DeviceRecord }> {
    const { store, now } = this.#settings;
    const challenge = await store.take('attestationChallenge', keyOf(answer.enrolment));
    if (challenge?.purpose !== 'activate') throw new AttestationRefusal('challenge-burnt');
    const { grant, binding, secret } = challenge;
    if (challenge.expiresAt <= now()) throw new AttestationRefusal('challenge-expired', grant.name);
    if (!timingSafeEqual(digestOf(answer.secret), Buffer.from(secret, 'base64url'))) {
      throw new AttestationRefusal('secret-wrong', grant.name);
    }
    const device = deviceId(binding.ekName);
    const record: DeviceRecord = {
      name: grant.name,
      ...(grant.owner === undefined ? {} : { owner: grant.owner }),
      ...(grant.connector === undefined ? {} : { connector: grant.connector }),
      model: grant.model ?? modelOf(binding),
      binding,
      enrolledAt: now(),
      enrolledBy: grant.createdBy,
      ...(grant.approved ? { approvedAt: now(), approvedBy: grant.createdBy } : {}),
    };
    if (!(await store.create('deviceName', record.name, { device }))) {
      throw new AttestationRefusal('name-taken', record.name);
    }
    if (!(await store.create('device', device, record))) {
      await store.remove('deviceName', record.name);
      throw new AttestationRefusal('ek-enrolled', record.name);
    }
    // Counters of an earlier enrolment say nothing about a TPM that was cleared since.
    await store.remove('devicePosture', device);
    return { device, record };
  }

  /** A name whose device was never written, because the gateway stopped in between, is free again. */
  async #nameTaken(name: string): Promise<boolean> {
    const { store } = this.#settings;
    const holder = await store.get('deviceName', name);
    if (holder === undefined) return false;
    if ((await store.get('device', holder.device))?.name === name) return true;
    await store.remove('deviceName', name);
    return false;
  }
}

/**
 * Whose keys these are. The keys first: a certificate says nothing about a TPM whose attestation key signs whatever it is
 * given. `named`: an admin named this very endorsement key. Throws AttestationRefusal.
 */
export function bindingOf(
  request: EnrolRequest,
  { endorsements, pinnedKeys, now }: Pick<EnrolmentSettings, 'endorsements' | 'pinnedKeys' | 'now'>,
  named: boolean,
): { readonly ek: PublicArea; readonly binding: DeviceBinding } {
  const ak = parsePublicArea(request.akPublic);
  checkAttestationKey(ak);
  const ek = parsePublicArea(request.ekPublic);
  checkEndorsementKey(ek);
  const names = {
    ekName: ek.name.toString('hex'),
    akName: ak.name.toString('hex'),
    akPublic: request.akPublic.toString('base64url'),
  };
  if (request.ekCertificate === undefined) {
    if (!named || !pinnedKeys) throw new AttestationRefusal('ek-certificate-missing');
    return { ek, binding: names };
  }
  const endorsement = endorsements().check(request.ekCertificate, ek, now(), request.ekIntermediates);
  return { ek, binding: { ...names, endorsement } };
}

/** The device of an endorsement key: the same TPM is the same device, which is how none is enrolled twice. */
export function deviceId(ekName: string): string {
  return hash('sha256', `sallyport-device\0${ekName}`, 'hex').slice(0, 32);
}

function modelOf({ endorsement }: DeviceBinding): string {
  if (endorsement === undefined) return 'pinned';
  return `${endorsement.manufacturer} ${endorsement.model}`;
}

function ofDevice(error: unknown, name: string): unknown {
  return error instanceof AttestationRefusal
    ? new AttestationRefusal(error.code, name, { cause: error.cause })
    : error;
}

export function keyOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

function keyOfEk(ekName: string): string {
  return `ek:${ekName}`;
}

export function digestOf(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
