// What becomes of a device is recorded, also where that fails at first: nothing bad that it proved is forgotten.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Appraisal } from '#gateway/attest/appraisal';
import { DeviceDesk } from '#gateway/attest/desk';
import type { Verifier } from '#gateway/attest/verifier';
import { Strangers } from '#gateway/inspect/strangers';
import type { DeviceEvent } from '#siem/device-event';
import { bootEvents, writeLog } from './boot-log.ts';
import { EXPORTER, Laboratory } from './laboratory.ts';
import { SoftwareTpm } from './software-tpm.ts';

const CLIENT = { address: '192.0.2.1' };
const OTHER_KERNEL = writeLog(bootEvents({ kernel: 'vmlinuz-6.13' }));
const ADMIN = { kind: 'user', id: 'admin' } as const;

describe('the desk for devices', () => {
  let lab: Laboratory;
  let events: DeviceEvent[];
  /** Kinds of events that cannot be recorded. */
  let broken: Set<string>;
  const undo: (() => void)[] = [];

  beforeEach(() => {
    lab = new Laboratory();
    events = [];
    broken = new Set();
  });
  afterEach(async () => {
    for (const step of undo.splice(0)) step();
    await lab.close();
  });

  function deskOf(verifier: Verifier): DeviceDesk {
    const recorder = {
      record(event: DeviceEvent) {
        if (broken.has(event.kind)) return Promise.reject(new Error('the disk is full'));
        events.push(event);
        return Promise.resolve('id');
      },
    };
    const strangers = new Strangers({
      ...{ limits: { perAddress: 100, together: 100 }, store: lab.store, behind: () => false },
      ...{ recorder, metrics: { refused: () => undefined }, now: () => lab.time },
    } as never);
    undo.push(() => strangers.stop());
    return new DeviceDesk({ verifier, recorder, strangers, review: async () => undefined } as never);
  }

  async function attest(desk: DeviceDesk, device: string, tpm: SoftwareTpm, boot?: typeof OTHER_KERNEL) {
    lab.time += 1_000;
    const { nonce } = await desk.challenge(device);
    const evidence = lab.evidence(device, tpm, nonce, boot === undefined ? {} : { boot });
    return desk.attest({ evidence, exporter: EXPORTER, client: CLIENT });
  }

  const alerts = (): string[] =>
    events.flatMap((event) => (event.kind === 'device-posture-failed' ? [event.reasons.join()] : []));

  test('tells of a device that is no longer well once for each news', async () => {
    const { device, tpm } = await lab.ready();
    const desk = deskOf(lab.verifier);
    await attest(desk, device, tpm);
    assert.deepEqual(alerts(), []);
    for (let round = 0; round < 3; round += 1) await attest(desk, device, tpm, OTHER_KERNEL);
    await attest(deskOf(lab.another()), device, tpm, OTHER_KERNEL);
    assert.deepEqual(alerts(), ['pcr-not-allowed']);
    await attest(desk, device, tpm);
    await attest(desk, device, tpm, OTHER_KERNEL);
    assert.deepEqual(alerts(), ['pcr-not-allowed', 'pcr-not-allowed'], 'it was well in between');
    lab.time += 900_000;
    await attest(desk, device, tpm, OTHER_KERNEL);
    assert.equal(alerts().length, 3, 'nothing was known of it any more');
  });

  for (const kind of ['device-attested', 'device-posture-failed']) {
    test(`makes up for the alert that was lost with a ${kind} that could not be recorded`, async () => {
      const { device, tpm } = await lab.ready();
      const desk = deskOf(lab.verifier);
      broken.add(kind);
      await assert.rejects(attest(desk, device, tpm, OTHER_KERNEL), /disk is full/);
      assert.deepEqual(alerts(), []);
      broken.clear();
      await attest(deskOf(lab.another()), device, tpm, OTHER_KERNEL);
      await attest(desk, device, tpm, OTHER_KERNEL);
      assert.deepEqual(alerts(), ['pcr-not-allowed']);
    });
  }

  test('lets nothing count of a device whose bad result could not be kept', async () => {
    const { device, tpm } = await lab.ready();
    const desk = deskOf(lab.verifier);
    await attest(desk, device, tpm);
    const { put } = lab.store;
    lab.store.put = (kind, ...rest) =>
      kind === 'devicePosture' ? Promise.reject(new Error('no room')) : put.call(lab.store, kind, ...rest);
    await assert.rejects(attest(desk, device, tpm, OTHER_KERNEL), /no room/);
    assert.equal(await lab.verifier.posture(device), undefined, 'it counts as before');
    await assert.rejects(attest(desk, device, tpm), /no room/);
    assert.equal(await lab.verifier.posture(device), undefined, 'what was not kept counts');
    lab.store.put = put;
    lab.time += 1;
    const kept: Appraisal = await attest(deskOf(lab.another()), device, tpm);
    assert.deepEqual(await lab.verifier.posture(device), kept, 'what another gateway kept does not count');
  });

  test('lets nothing count of a device that was bad just before the store went away', async () => {
    const via = { name: 'rack-1', key: Buffer.alloc(32, 1), notAfter: lab.time + 3_600_000 };
    const connector = { name: via.name, key: via.key.toString('hex') };
    for (const takes of [true, false]) {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm, { connector: via.name });
      const prove = (boot?: typeof OTHER_KERNEL): Promise<Appraisal> => {
        lab.time += 1_000;
        const changed = { connector: via, ...(boot === undefined ? {} : { boot }) };
        return lab.attest(device, tpm, changed, { connector: via });
      };
      await prove();
      await lab.approveBaseline(device);
      await prove();
      assert.equal((await lab.verifier.connectorPosture(connector))?.device, device);
      const { put, get } = lab.store;
      lab.store.put = (kind, ...rest) =>
        !takes && kind === 'devicePosture'
          ? Promise.reject(new Error('no room'))
          : put.call(lab.store, kind, ...rest);
      await prove(OTHER_KERNEL).catch(() => undefined);
      lab.store.get = () => Promise.reject(new Error('away'));
      assert.deepEqual(
        [await lab.verifier.posture(device), await lab.verifier.connectorPosture(connector)],
        [undefined, undefined],
      );
      await assert.rejects(lab.another().posture(device), /away/);
      lab.store.get = get;
      const status = async () => (await lab.verifier.connectorPosture(connector))?.status;
      assert.equal(await status(), takes ? 'contraindicated' : undefined);
      lab.store.put = put;
      await prove();
      assert.equal(await status(), 'affirming');
      lab.store.get = () => Promise.reject(new Error('away'));
      await assert.rejects(lab.verifier.posture(device), /away/);
      lab.store.get = get;
    }
  });

  test('lets a TPM that was announced enrol only where that was recorded', async () => {
    const desk = deskOf(lab.verifier);
    const grant = { name: 'announced', approved: true };
    const held = (): Promise<unknown> => lab.store.get('deviceGrant', 'ek:000b');
    broken.add('device-token-created');
    await assert.rejects(desk.grant(grant, 60_000, ADMIN, '000b'), /disk is full/);
    assert.equal(await held(), undefined);
    broken.clear();
    await desk.grant(grant, 60_000, ADMIN, '000b');
    assert.ok(await held());
    assert.deepEqual(
      events.map((event) => event.kind),
      ['device-token-created'],
    );
  });
});
