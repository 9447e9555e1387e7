// The verifier of RFC 9334 over the gateway's store, so that several gateways share what it knows: challenges are
// single-use, bindings never change, revocations are final.
import { hash, randomBytes } from 'node:crypto';
import {
  type ActivateRequest,
  type Attestation,
  type EnrolChallenge,
  type EnrolRequest,
  NONCE_SIZE,
} from '#connectors/wire/evidence';
import type { Store } from '#gateway/state/store';
import type { Appraisal, EvidenceBinding } from './appraisal.ts';
import { appraise, refused } from './appraise.ts';
import { authenticate } from './authenticate.ts';
import type {
  BaselineChange,
  ConnectorKey,
  DeviceVerifier,
  ListedBaseline,
  ListedDevice,
  NewDeviceToken,
} from './device-verifier.ts';
import type { Endorsements } from './endorsements.ts';
import { Enrolment, REMEMBERED } from './enrolment.ts';
import { parsePublicArea } from './public-area.ts';
import { type Attester, attesterOf } from './quote.ts';
import type { DevicePosture, DeviceRecord, TpmCounters } from './records.ts';
import { ReferenceValues } from './reference-values.ts';
import { AttestationRefusal } from './refusal.ts';

export interface VerifierOptions {
  readonly store: Store;
  /** Read at every use, so that roots and revocation lists can be exchanged while running. */
  readonly endorsements: () => Endorsements;
  /** Milliseconds in which a challenge has to be answered; 30 to 60 s. */
  readonly challengeLife: number;
  /** Milliseconds for which a result counts: somewhat more than the devices' interval of attesting. */
  readonly resultLife: number;
  /** Lets TPMs without certificate enrol if an admin named their endorsement key. Off unless asked for. */
  readonly pinnedKeys: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Parsed attestation keys kept, by Name: parsing one costs as much as verifying a signature. */
const MAX_ATTESTERS = 20_000;

export class Verifier implements DeviceVerifier {
  readonly #options: VerifierOptions;
  readonly #enrolment: Enrolment;
  readonly #references: ReferenceValues;
  readonly #attesters = new Map<string, Attester>();
  /** Devices, and connectors' keys, with a bad result that the store did not take, or was not asked for yet, and when. */
  readonly #unkept = new Map<string, number>();

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#enrolment = new Enrolment(options);
    this.#references = new ReferenceValues(options.store, options.now);
  }

  grant(...grant: Parameters<DeviceVerifier['grant']>): Promise<NewDeviceToken> {
    return this.#enrolment.grant(...grant);
  }

  enrol(request: EnrolRequest, connector?: string): Promise<EnrolChallenge & { readonly name: string }> {
    return this.#enrolment.enrol(request, connector);
  }

  async activate(answer: ActivateRequest): Promise<ListedDevice> {
    const { device, record } = await this.#enrolment.activate(answer);
    return this.#listed(device, record);
  }

  async challenge(device: string): Promise<{ readonly nonce: Buffer; readonly expiresAt: number }> {
    const { store, challengeLife, now } = this.#options;
    const { state, posture } = await this.#existing(device);
    if (state === 'revoked') throw new AttestationRefusal('device-revoked', device);
    const counters = posture && countersOf(posture);
    const nonce = randomBytes(NONCE_SIZE);
    const expiresAt = now() + challengeLife;
    await store.put(
      'attestationChallenge',
      keyOf(nonce),
      { purpose: 'quote', device, expiresAt, ...(counters === undefined ? {} : { counters }) },
      expiresAt + REMEMBERED,
    );
    return { nonce, expiresAt };
  }

  /** Whether this nonce waits for an answer; it stays as it is. */
  async expects(nonce: Buffer): Promise<boolean> {
    return (await this.#options.store.get('attestationChallenge', keyOf(nonce)))?.purpose === 'quote';
  }

  async appraise(evidence: Attestation, binding: EvidenceBinding): Promise<Appraisal> {
    const { store, now } = this.#options;
    const { device } = evidence;
    try {
      // Burnt on first touch, whoever touches it: an answer is looked at once.
      const challenge = await store.take('attestationChallenge', keyOf(evidence.nonce));
      if (challenge?.purpose !== 'quote' || challenge.device !== device) {
        throw new AttestationRefusal('quote-replayed');
      }
      if (challenge.expiresAt <= now()) throw new AttestationRefusal('quote-late');
      const { state, posture: last, ...record } = await this.#existing(device);
      if (state === 'revoked') throw new AttestationRefusal('device-revoked');
      const via = binding.connector;
      if (record.connector !== via?.name) {
        throw new AttestationRefusal(via === undefined ? 'device-of-connector' : 'connector-other');
      }
      const authenticated = authenticate(evidence, this.#attesterOf(record), binding, last);
      const posture = appraise({
        ...{ device, record, authenticated, last, asked: challenge.counters },
        pcrs: evidence.pcrs,
        eventLog: evidence.eventLog,
        endorsements: this.#options.endorsements(),
        baselines: await this.#references.approvedFor(record.model),
        now: now(),
        life: this.#options.resultLife,
      });
      await this.#keep(posture, last, via?.key.toString('hex'));
      if (via !== undefined) {
        const bond = { device, akName: record.binding.akName };
        await store.put('connectorBond', via.key.toString('hex'), bond, via.notAfter);
      }
      return posture.appraisal;
    } catch (refusal) {
      if (refusal instanceof AttestationRefusal) return refused(device, refusal.code, now());
      throw refusal;
    }
  }

  /** What could not be kept takes what it would have replaced with it, unless all was well. */
  async #keep(posture: DevicePosture, last: DevicePosture | undefined, via = ''): Promise<void> {
    const { store, now } = this.#options;
    const { device, status, issuedAt } = posture.appraisal;
    const told = last?.told === true && last.appraisal.expiresAt > now() && sameReasons(posture, last);
    const bad = status === 'affirming' ? [] : [device, via];
    try {
      await store.put('devicePosture', device, told ? { ...posture, told } : posture);
      // Until it is read: the store may go away now.
      for (const one of bad) this.#unkept.set(one, issuedAt - 1);
    } catch (error) {
      for (const one of bad) this.#unkept.set(one, now());
      throw error;
    }
  }

  async told({ device, issuedAt }: Appraisal): Promise<void> {
    await this.#options.store.update('devicePosture', device, (current) =>
      current?.appraisal.issuedAt === issuedAt ? { value: { ...current, told: true } } : undefined,
    );
  }

  async posture(device: string): Promise<Appraisal | undefined> {
    const { store, now } = this.#options;
    const unkept = this.#unkept.get(device);
    const known = await this.#orNothing(
      device,
      Promise.all([
        store.get('devicePosture', device),
        store.get('deviceRevocation', device),
        store.get('device', device),
      ]),
    );
    const [posture, revocation, record] = known ?? [];
    if (posture === undefined || record?.approvedAt === undefined || revocation !== undefined)
      return undefined;
    const { expiresAt, issuedAt } = posture.appraisal;
    if (unkept !== undefined && issuedAt <= unkept) return undefined;
    if (unkept === this.#unkept.get(device)) this.#unkept.delete(device);
    return expiresAt > now() ? posture.appraisal : undefined;
  }

  async connectorPosture({ name, key }: ConnectorKey): Promise<Appraisal | undefined> {
    const { store } = this.#options;
    const bond = await this.#orNothing(key, store.get('connectorBond', key));
    if (bond === undefined) return undefined;
    this.#unkept.delete(key);
    // A TPM that was enrolled anew since says nothing over this certificate until it attests over it again.
    const record = await store.get('device', bond.device);
    const same = bond.akName === undefined || bond.akName === record?.binding.akName;
    return same && record?.connector === name ? this.posture(bond.device) : undefined;
  }

  async approve(device: string, by: string): Promise<ListedDevice> {
    const { store, now } = this.#options;
    const record = await store.get('device', device);
    if (record === undefined) throw new AttestationRefusal('device-unknown', device);
    if ((await store.get('deviceRevocation', device)) !== undefined) {
      throw new AttestationRefusal('device-revoked', device);
    }
    // As it was looked at: a TPM that was enrolled anew meanwhile has other keys, and nobody has seen them.
    const approved = await store.update('device', device, (current) =>
      current?.binding.akName === record.binding.akName
        ? { value: { ...current, approvedAt: now(), approvedBy: by } }
        : undefined,
    );
    if (!approved) throw new AttestationRefusal('device-unknown', device);
    return this.#existing(device);
  }

  async revoke(device: string, by: string): Promise<ListedDevice> {
    const { store, now } = this.#options;
    await this.#existing(device);
    // The first revocation stays: who did it, and when.
    await store.create('deviceRevocation', device, { at: now(), by });
    return this.#existing(device);
  }

  async forget(device: string): Promise<ListedDevice> {
    const { store } = this.#options;
    const listed = await this.#existing(device);
    // Until the record is gone the TPM stays enrolled, revoked, and under its name: nobody else may come to be called so.
    await store.remove('devicePosture', device);
    await store.remove('device', device);
    // Breaking off from here on leaves a name that is free all the same.
    await store.remove('deviceName', listed.name);
    await store.remove('deviceRevocation', device);
    return listed;
  }

  async list(): Promise<readonly ListedDevice[]> {
    const records = await this.#options.store.list('device');
    return Promise.all(records.map(([device, record]) => this.#listed(device, record)));
  }

  async find(device: string): Promise<ListedDevice | undefined> {
    const record = await this.#options.store.get('device', device);
    return record && this.#listed(device, record);
  }

  async learnBaseline(device: string, by: string, change: BaselineChange = {}): Promise<ListedBaseline> {
    return this.#references.learn(device, await this.#existing(device), by, change);
  }

  approveBaseline(id: string, by: string): Promise<ListedBaseline | undefined> {
    return this.#references.approve(id, by);
  }

  removeBaseline(id: string): Promise<ListedBaseline | undefined> {
    return this.#references.remove(id);
  }

  baselines(): Promise<readonly ListedBaseline[]> {
    return this.#references.list();
  }

  async #existing(device: string): Promise<ListedDevice> {
    const found = await this.find(device);
    if (found === undefined) throw new AttestationRefusal('device-unknown', device);
    return found;
  }

  async #listed(device: string, record: DeviceRecord): Promise<ListedDevice> {
    const { store } = this.#options;
    const [revocation, posture] = await Promise.all([
      store.get('deviceRevocation', device),
      store.get('devicePosture', device),
    ]);
    const approved = record.approvedAt === undefined ? 'pending' : 'approved';
    const state = revocation === undefined ? approved : 'revoked';
    return { ...record, device, state, ...(posture === undefined ? {} : { posture }) };
  }

  /** While the store is away whoever asks may go by what it said before; unless that counts no more. */
  #orNothing<T>(known: string, found: Promise<T>): Promise<T | undefined> {
    return this.#unkept.has(known) ? found.catch(() => undefined) : found;
  }

  #attesterOf({ binding }: Pick<DeviceRecord, 'binding'>): Attester {
    const key = `${binding.ekName}.${binding.akName}`;
    const known = this.#attesters.get(key);
    if (known !== undefined) return known;
    if (this.#attesters.size >= MAX_ATTESTERS) this.#attesters.clear();
    const ak = parsePublicArea(Buffer.from(binding.akPublic, 'base64url'));
    const attester = attesterOf(ak, Buffer.from(binding.ekName, 'hex'));
    this.#attesters.set(key, attester);
    return attester;
  }
}

function sameReasons(one: DevicePosture, other: DevicePosture): boolean {
  const codes = ({ appraisal }: DevicePosture): string => appraisal.reasons.map(({ code }) => code).join();
  return codes(one) === codes(other);
}

function countersOf({ clock, resetCount, restartCount }: DevicePosture): TpmCounters {
  return { clock, resetCount, restartCount };
}

function keyOf(nonce: Buffer): string {
  return hash('sha256', nonce, 'base64url');
}
