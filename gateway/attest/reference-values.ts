// Keeps baselines: learnt from a device's last quote, counting only once an admin has approved them.
import { randomUUID } from 'node:crypto';
import type { Store } from '#gateway/state/store';
import type { BaselineChange, ListedBaseline } from './device-verifier.ts';
import type { Baseline, DeviceRecord } from './records.ts';
import { AttestationRefusal } from './refusal.ts';

export class ReferenceValues {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Throws `posture-missing` unless the device's last quote was attested. */
  async learn(
    device: string,
    { model }: DeviceRecord,
    by: string,
    change: BaselineChange,
  ): Promise<ListedBaseline> {
    const posture = await this.#store.get('devicePosture', device);
    if (posture?.appraisal.facts.attested !== true) throw new AttestationRefusal('posture-missing', device);
    const baseline: Baseline = {
      model,
      pcrs: posture.pcrs.map((pcr, index) => (change.openPcrs?.includes(index) === true ? [] : [pcr])),
      ...(change.minimumFirmware === undefined ? {} : { minimumFirmware: change.minimumFirmware }),
      ...(change.commandLine === undefined ? {} : { commandLine: change.commandLine }),
      learntFrom: device,
      createdAt: this.#now(),
      createdBy: by,
    };
    const id = randomUUID();
    await this.#store.put('baseline', id, baseline);
    return { ...baseline, id };
  }

  /** Undefined if there is none, or it was removed meanwhile. */
  async approve(id: string, by: string): Promise<ListedBaseline | undefined> {
    const baseline = await this.#store.get('baseline', id);
    if (baseline === undefined) return undefined;
    const approved: Baseline = { ...baseline, approvedAt: this.#now(), approvedBy: by };
    return (await this.#store.replace('baseline', id, approved)) ? { ...approved, id } : undefined;
  }

  async remove(id: string): Promise<ListedBaseline | undefined> {
    const baseline = await this.#store.take('baseline', id);
    return baseline && { ...baseline, id };
  }

  async list(): Promise<readonly ListedBaseline[]> {
    return (await this.#store.list('baseline')).map(([id, baseline]) => ({ ...baseline, id }));
  }

  /** What a device of this model may have started. */
  async approvedFor(model: string): Promise<readonly Baseline[]> {
    return (await this.list()).filter((one) => one.model === model && one.approvedAt !== undefined);
  }
}
