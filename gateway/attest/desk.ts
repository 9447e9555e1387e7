// What happens to devices: each step goes through the verifier, is recorded, and what a device's new state no longer
// allows is closed. An admin's change is in the transparency log before it takes effect.
import type { Attestation } from '#connectors/wire/evidence';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Strangers } from '#gateway/inspect/strangers';
import type { DeviceEvent } from '#siem/device-event';
import type { Actor, ConnectorRef, Peer } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Appraisal, EvidenceBinding } from './appraisal.ts';
import type {
  BaselineChange,
  DeviceVerifier,
  ListedBaseline,
  ListedDevice,
  NewDeviceToken,
} from './device-verifier.ts';
import type { DeviceGrant } from './records.ts';
import { AttestationRefusal } from './refusal.ts';

type Enrolment = Parameters<DeviceVerifier['enrol']>[0];

export interface DeskParts {
  readonly verifier: DeviceVerifier;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  /** Decides everything open again. */
  readonly review: () => Promise<void>;
}

/** Evidence with what the gateway itself knows of how it came. */
export interface Presented {
  readonly evidence: Attestation;
  /** TLS exporter of the connection. */
  readonly exporter: Buffer;
  readonly client: Peer;
  readonly session?: LiveSession | undefined;
  /** Whose certificate the connection showed. */
  readonly connector?: EvidenceBinding['connector'];
}

export class DeviceDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** `life` in milliseconds. @throws {AttestationRefusal} */
  async grant(
    grant: Omit<DeviceGrant, 'createdBy'>,
    life: number,
    by: Actor,
    ekName?: string,
  ): Promise<NewDeviceToken> {
    const { name, owner } = grant;
    const connector = connectorRef(grant.connector);
    return this.#parts.verifier.grant({ ...grant, createdBy: by.id }, life, ekName, (expiresAt) =>
      this.#record({ kind: 'device-token-created', name, owner, connector, by, expiresAt }),
    );
  }

  /** @throws {AttestationRefusal} after it was recorded. */
  enrol(request: Enrolment, client: Peer, connector?: string): ReturnType<DeviceVerifier['enrol']> {
    return this.#orRecord(client, () => this.#parts.verifier.enrol(request, connector));
  }

  /** @throws {AttestationRefusal} after it was recorded. */
  async activate(answer: { enrolment: string; secret: Buffer }, client: Peer): Promise<ListedDevice> {
    const { verifier } = this.#parts;
    const device = await this.#orRecord(client, () => verifier.activate(answer));
    const { endorsement, ekName } = device.binding;
    try {
      await this.#record({
        kind: 'device-enrolled',
        device: { id: device.device, name: device.name },
        state: device.state,
        model: device.model,
        manufacturer: endorsement?.manufacturer,
        ekName,
        connector: connectorRef(device.connector),
        client,
      });
    } catch (error) {
      // Nothing is enrolled without a trace of it.
      await verifier.forget(device.device);
      throw error;
    }
    return device;
  }

  /** `stranger`: who asks, unless they have shown a certificate of ours. @throws {AttestationRefusal} {TooMany} */
  async challenge(device: string, stranger?: Peer): ReturnType<DeviceVerifier['challenge']> {
    if (stranger !== undefined) await this.#parts.strangers.admit('device-challenge', stranger);
    return this.#parts.verifier.challenge(device);
  }

  /** Judges evidence, records what came of it, and decides what is open again. */
  async attest({ evidence, exporter, client, session, connector }: Presented): Promise<Appraisal> {
    const { verifier, recorder, strangers, review } = this.#parts;
    const bond = session?.bond?.device === evidence.device ? session.bond : undefined;
    const appraisal = await verifier.appraise(evidence, {
      exporter,
      ...(bond === undefined ? {} : { keyThumbprint: bond.key }),
      ...(connector === undefined ? {} : { connector }),
    });
    const reasons = appraisal.reasons.map(({ code }) => code);
    const who = { subject: session?.subject, connector: connectorRef(connector?.name), client };
    const { status, expiresAt, boot } = appraisal;
    if (!appraisal.authentic) {
      const code = reasons[0] ?? 'evidence-malformed';
      const device = { id: evidence.device };
      await strangers.record({ kind: 'device-evidence-refused', device, code, reasons, ...who });
      return appraisal;
    }
    const known = await verifier.find(evidence.device);
    const device = { id: evidence.device, name: known?.name };
    await recorder.record({
      kind: 'device-attested',
      ...{ device, status, reasons, boot, expiresAt },
      session: session?.id,
      ...who,
    });
    const worst = appraisal.reasons[0];
    // Before an admin approved it a device has nothing to lose.
    const counts = !reasons.includes('device-not-approved');
    if (status === 'contraindicated' && worst !== undefined && known?.posture?.told !== true && counts) {
      const { message } = worst;
      await recorder.record({ kind: 'device-posture-failed', device, status, reasons, message, ...who });
      await verifier.told(appraisal);
    }
    await review();
    return appraisal;
  }

  /** A browser or command line proved its device. */
  async bound(channel: 'browser' | 'terminal', session: LiveSession, client: Peer): Promise<void> {
    const { bond, subject, id } = session;
    if (bond === undefined) return;
    const device = await this.#ref(bond.device);
    await this.#parts.recorder.record(
      { kind: 'device-session-bound', channel, device, key: bond.key, subject, session: id, client },
      { durable: true },
    );
  }

  /** A browser or command line did not prove its device. */
  async refused(
    channel: 'browser' | 'terminal',
    code: string,
    at: { readonly device?: string; readonly session?: LiveSession | undefined; readonly client: Peer },
  ): Promise<void> {
    const { device, session, client } = at;
    await this.#parts.strangers.record({
      kind: 'device-session-refused',
      ...{ code, channel, client },
      device: device === undefined ? undefined : { id: device },
      subject: session?.subject,
      session: session?.id,
    });
  }

  find(device: string): Promise<ListedDevice | undefined> {
    return this.#parts.verifier.find(device);
  }

  posture(device: string): Promise<Appraisal | undefined> {
    return this.#parts.verifier.posture(device);
  }

  list(): Promise<readonly ListedDevice[]> {
    return this.#parts.verifier.list();
  }

  /** @throws {AttestationRefusal} `device-unknown`, `device-revoked` */
  async approve(device: string, by: Actor): Promise<ListedDevice> {
    const known = await this.#known(device);
    if (known.state === 'revoked') throw new AttestationRefusal('device-revoked', device);
    await this.#record({ kind: 'device-approved', device: { id: known.device, name: known.name }, by });
    return this.#parts.verifier.approve(device, by.id);
  }

  /** What the device has open and may no longer have is closed before this answers. @throws {AttestationRefusal} */
  async revoke(device: string, by: Actor): Promise<ListedDevice> {
    const known = await this.#known(device);
    await this.#record({ kind: 'device-revoked', device: { id: known.device, name: known.name }, by });
    const revoked = await this.#parts.verifier.revoke(device, by.id);
    await this.#parts.review();
    return revoked;
  }

  /** @throws {AttestationRefusal} */
  async forget(device: string, by: Actor): Promise<ListedDevice> {
    const known = await this.#known(device);
    await this.#record({ kind: 'device-forgotten', device: { id: known.device, name: known.name }, by });
    const forgotten = await this.#parts.verifier.forget(device);
    await this.#parts.review();
    return forgotten;
  }

  baselines(): Promise<readonly ListedBaseline[]> {
    return this.#parts.verifier.baselines();
  }

  /** It counts once it is approved. @throws {AttestationRefusal} */
  async learnBaseline(device: string, by: Actor, change?: BaselineChange): Promise<ListedBaseline> {
    const { name } = await this.#known(device);
    const learnt = await this.#parts.verifier.learnBaseline(device, by.id, change);
    const { id: baseline, model } = learnt;
    await this.#record({ kind: 'baseline-learnt', baseline, model, device: { id: device, name }, by });
    return learnt;
  }

  /** Undefined if there is no such baseline. Devices are compared with it from their next attestation on. */
  async approveBaseline(id: string, by: Actor): Promise<ListedBaseline | undefined> {
    const known = await this.#baseline(id);
    if (known === undefined) return undefined;
    await this.#record({ kind: 'baseline-approved', baseline: id, model: known.model, by });
    return this.#parts.verifier.approveBaseline(id, by.id);
  }

  /** Undefined if there is no such baseline. */
  async removeBaseline(id: string, by: Actor): Promise<ListedBaseline | undefined> {
    const known = await this.#baseline(id);
    if (known === undefined) return undefined;
    await this.#record({ kind: 'baseline-removed', baseline: id, model: known.model, by });
    return this.#parts.verifier.removeBaseline(id);
  }

  async #baseline(id: string): Promise<ListedBaseline | undefined> {
    return (await this.#parts.verifier.baselines()).find((one) => one.id === id);
  }

  async #known(device: string): Promise<ListedDevice> {
    const known = await this.#parts.verifier.find(device);
    if (known === undefined) throw new AttestationRefusal('device-unknown', device);
    return known;
  }

  async #ref(id: string): Promise<{ id: string; name: string | undefined }> {
    return { id, name: (await this.#parts.verifier.find(id))?.name };
  }

  async #record(event: DeviceEvent): Promise<void> {
    await this.#parts.recorder.record(event, { durable: true });
  }

  async #orRecord<T>(client: Peer, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof AttestationRefusal)) throw error;
      const device = error.device === undefined ? undefined : { id: error.device };
      await this.#parts.strangers.record({
        kind: 'device-enrolment-refused',
        code: error.code,
        device,
        client,
      });
      throw error;
    }
  }
}

function connectorRef(name: string | undefined): ConnectorRef | undefined {
  return name === undefined ? undefined : { name };
}
