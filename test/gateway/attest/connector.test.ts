// A connector's machine: what it proves counts for one name and one certificate, and for no person.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ConnectorKey } from '#gateway/attest/device-verifier';
import { EXPORTER, Laboratory, RACK, refusal } from './laboratory.ts';
import { SoftwareTpm } from './software-tpm.ts';

const KEY: ConnectorKey = { name: RACK.name, key: RACK.key.toString('hex') };

describe("a connector's machine", () => {
  let lab: Laboratory;
  before(() => {
    lab = new Laboratory();
  });
  after(() => lab.close());

  async function machine(tpm = new SoftwareTpm()): Promise<{ device: string; tpm: SoftwareTpm }> {
    const { device } = await lab.enrol(tpm, { connector: RACK.name });
    const { status } = await lab.attest(device, tpm, { connector: RACK }, { connector: RACK });
    assert.notEqual(status, 'contraindicated');
    return { device, tpm };
  }

  test('is known by the certificate it attested over, and by no other', async () => {
    const { device } = await machine();
    assert.equal((await lab.verifier.connectorPosture(KEY))?.device, device);
    assert.equal((await lab.another().connectorPosture(KEY))?.device, device, 'another gateway knows, too');
    const others = [
      { ...KEY, name: 'rack-2' },
      { ...KEY, key: '02'.repeat(32) },
    ];
    for (const other of others) assert.equal(await lab.verifier.connectorPosture(other), undefined);
  });

  test('counts for as long as its result, its certificate and its enrolment do', async () => {
    const { device, tpm } = await machine();
    const attest = () => lab.attest(device, tpm, { connector: RACK }, { connector: RACK });
    lab.time += 900_000;
    assert.equal(await lab.verifier.connectorPosture(KEY), undefined, 'an expired result still counts');
    await attest();
    assert.ok(await lab.verifier.connectorPosture(KEY));
    await lab.verifier.revoke(device, 'admin');
    assert.equal(await lab.verifier.connectorPosture(KEY), undefined, 'a revoked machine still counts');
    assert.equal(
      (await attest().catch((error: { code: string }) => error.code)) as unknown,
      'device-revoked',
    );
    const next = await machine();
    const soon = { ...RACK, notAfter: lab.time + 60_000 };
    await lab.attest(next.device, next.tpm, { connector: RACK }, { connector: soon });
    lab.time += 60_000;
    assert.equal(await lab.verifier.connectorPosture(KEY), undefined, 'the certificate has run out');
  });

  test('that is enrolled anew for a person says nothing of the connector any more', async () => {
    const { device, tpm } = await machine();
    await lab.verifier.forget(device);
    const again = await lab.enrol(tpm);
    assert.equal(again.device, device);
    await lab.attest(device, tpm);
    assert.ok(await lab.verifier.posture(device));
    assert.equal(await lab.verifier.connectorPosture(KEY), undefined);
  });

  test('that is enrolled anew counts for no certificate it attested over before', async () => {
    const { device, tpm } = await machine();
    await lab.verifier.forget(device);
    const other = { ...RACK, key: Buffer.alloc(32, 2) };
    // As after a theft: the TPM is the same, its keys and the connector's certificate are not.
    const again = Object.assign(new SoftwareTpm(), { ek: tpm.ek, ekPublic: tpm.ekPublic });
    assert.equal((await lab.enrol(again, { connector: RACK.name })).device, device);
    await lab.attest(device, again, { connector: other }, { connector: other });
    assert.ok(await lab.verifier.connectorPosture({ ...KEY, key: other.key.toString('hex') }));
    assert.equal(await lab.verifier.connectorPosture(KEY), undefined);
    await lab.attest(device, again, { connector: RACK }, { connector: RACK });
    assert.ok(await lab.verifier.connectorPosture(KEY));
  });

  test('of a person is taken over no connector, however it was made', async () => {
    const { device, tpm } = await lab.ready();
    for (const connector of [RACK, undefined]) {
      const said = await lab.attest(device, tpm, connector && { connector }, { connector: RACK });
      assert.deepEqual([said.authentic, said.reasons[0]?.code], [false, 'connector-other']);
    }
    assert.equal((await lab.attest(device, tpm)).status, 'affirming', 'it stays what it was');
  });

  test('proves itself once for each challenge', async () => {
    const { device, tpm } = await machine();
    const { nonce } = await lab.verifier.challenge(device);
    const evidence = lab.evidence(device, tpm, nonce, { connector: RACK });
    const binding = { exporter: EXPORTER, connector: RACK };
    assert.equal((await lab.verifier.appraise(evidence, binding)).authentic, true);
    assert.equal((await lab.verifier.appraise(evidence, binding)).reasons[0]?.code, 'quote-replayed');
  });

  test('enrols with the token of its own connector only', async () => {
    const tpm = new SoftwareTpm();
    const { ekPublic, akPublic } = tpm;
    const ekCertificate = lab.ca.endorse(tpm.ek.publicKey);
    for (const [made, by] of [
      ['rack-1', 'rack-2'],
      [undefined, 'rack-1'],
    ] as const) {
      const token = await lab.token(made === undefined ? {} : { connector: made });
      const request = { token, ekCertificate, ekPublic, akPublic };
      await assert.rejects(lab.verifier.enrol(request, by), refusal('token-elsewhere'));
    }
  });
});
