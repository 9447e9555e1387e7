// The verifier over its store: who may enrol, what an appraisal says, and what an admin does about it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Endorsements } from '#gateway/attest/endorsements';
import { parsePublicArea } from '#gateway/attest/public-area';
import { bootEvents, writeLog } from './boot-log.ts';
import { EXPORTER, Laboratory, refusal } from './laboratory.ts';
import { SoftwareTpm } from './software-tpm.ts';

describe('a device', () => {
  let lab: Laboratory;
  before(() => {
    lab = new Laboratory();
  });
  after(() => lab.close());

  for (const [ek, ak] of [
    ['rsa', 'rsa'],
    ['rsa', 'pss'],
    ['p256', 'ecc'],
    ['p384', 'ecc'],
  ] as const) {
    test(`with an EK of ${ek} and an AK of ${ak} enrols, attests and is affirmed`, async () => {
      const { device, tpm } = await lab.ready(new SoftwareTpm(ek, ak));
      const appraisal = await lab.attest(device, tpm);
      assert.deepEqual(appraisal.reasons, []);
      assert.equal(appraisal.status, 'affirming');
      assert.equal(appraisal.expiresAt, lab.time + 900_000);
      assert.deepEqual(appraisal.facts, {
        id: device,
        attested: true,
        secureBoot: true,
        baseline: true,
        sameBoot: true,
        hardwareKey: true,
        firmware: '7.85.17.51968',
        quotedAt: lab.time,
      });
      assert.deepEqual(appraisal.trust, {
        'instance-identity': 2,
        hardware: 2,
        executables: 3,
        configuration: 2,
      });
      assert.deepEqual(await lab.verifier.posture(device), appraisal);
      lab.time += 900_000;
      assert.equal(await lab.verifier.posture(device), undefined, 'an expired result still counts');
    });
  }

  test('waits for an admin unless its permission says otherwise', async () => {
    const tpm = new SoftwareTpm();
    const { device, state } = await lab.enrol(tpm, { approved: false, model: 'Laptop 8' });
    assert.equal(state, 'pending');
    const pending = await lab.attest(device, tpm);
    assert.equal(pending.status, 'contraindicated');
    assert.equal(pending.reasons[0]?.code, 'device-not-approved');
    assert.equal(pending.facts.attested, false);
    assert.equal(await lab.verifier.posture(device), undefined);
    assert.equal((await lab.verifier.approve(device, 'admin')).state, 'approved');
    const approved = await lab.attest(device, tpm);
    assert.equal(approved.facts.attested, true);
    assert.deepEqual(
      approved.reasons.map(({ code }) => code),
      ['baseline-missing'],
    );
    assert.equal(approved.status, 'warning');
  });

  test('that is revoked has no posture from then on, and comes back only by a new enrolment', async () => {
    const { device, tpm } = await lab.ready();
    const { nonce } = await lab.verifier.challenge(device);
    assert.equal((await lab.verifier.revoke(device, 'admin')).state, 'revoked');
    assert.equal(await lab.verifier.posture(device), undefined);
    const appraisal = await lab.verifier.appraise(lab.evidence(device, tpm, nonce), {
      exporter: EXPORTER,
    });
    assert.equal(appraisal.reasons[0]?.code, 'device-revoked');
    await assert.rejects(lab.verifier.challenge(device), refusal('device-revoked'));
    await assert.rejects(lab.verifier.approve(device, 'admin'), refusal('device-revoked'));
    await assert.rejects(lab.enrol(tpm), refusal('ek-enrolled'));
    await lab.verifier.forget(device);
    const again = await lab.enrol(tpm);
    assert.equal(again.device, device, 'the same TPM is another device');
    assert.equal(again.state, 'approved');
  });

  test('keeps its name until it is forgotten, wherever that breaks off', async () => {
    for (const step of [1, 2, 3, 4]) {
      const name = `broken-off-${step}`;
      const { device } = await lab.enrol(new SoftwareTpm(), { name });
      const { remove } = lab.store;
      let steps = 0;
      lab.store.remove = async (...record) => {
        if (++steps === step) throw new Error('the state is away');
        return remove.apply(lab.store, record);
      };
      await assert.rejects(lab.verifier.forget(device), /the state is away/);
      lab.store.remove = remove;
      if ((await lab.verifier.find(device)) !== undefined) {
        await assert.rejects(lab.enrol(new SoftwareTpm(), { name }), refusal('name-taken'), `step ${step}`);
        await lab.verifier.forget(device);
      }
      await lab.enrol(new SoftwareTpm(), { name });
      const called = (await lab.verifier.list()).filter((one) => one.name === name);
      assert.equal(called.length, 1, 'two devices have one name');
    }
  });

  test('is bound to its TPM: another under the same name is refused, whenever it comes', async () => {
    const first = new SoftwareTpm();
    const second = new SoftwareTpm();
    // Both permissions were given before the first device had the name.
    const grant = { name: 'shared-name' };
    const token = await lab.token(grant);
    await lab.enrol(first, grant);
    const request = {
      token,
      ekCertificate: lab.ca.endorse(second.ek.publicKey),
      ekPublic: second.ekPublic,
      akPublic: second.akPublic,
    };
    await assert.rejects(lab.verifier.enrol(request), refusal('name-taken'));
    await assert.rejects(lab.token(grant), refusal('name-taken'));
  });

  test('that an admin announced by its endorsement key needs no token, and enrols once', async () => {
    const tpm = new SoftwareTpm();
    const ekName = parsePublicArea(tpm.ekPublic).name.toString('hex');
    const grant = { name: 'announced', approved: true, createdBy: 'admin' };
    await lab.verifier.grant(grant, 60_000, ekName);
    const request = {
      ekCertificate: lab.ca.endorse(tpm.ek.publicKey),
      ekPublic: tpm.ekPublic,
      akPublic: tpm.akPublic,
    };
    const challenge = await lab.verifier.enrol(request);
    assert.equal(challenge.name, 'announced');
    await assert.rejects(lab.verifier.enrol(request), refusal('token-used'));
    const secret = tpm.activate(challenge.credentialBlob, challenge.encryptedSecret);
    const enrolled = await lab.verifier.activate({ enrolment: challenge.enrolment, secret });
    assert.equal(enrolled.model, 'id:53594C4C Model 7');
  });

  test('without a certificate is refused, or with pinning on a warning', async () => {
    const pinning = new Laboratory({ pinnedKeys: true });
    try {
      for (const [place, code] of [
        [lab, 'ek-certificate-missing'],
        [pinning, undefined],
      ] as const) {
        const tpm = new SoftwareTpm();
        const ekName = parsePublicArea(tpm.ekPublic).name.toString('hex');
        await place.verifier.grant({ name: 'bare', approved: true, createdBy: 'admin' }, 60_000, ekName);
        const request = { ekPublic: tpm.ekPublic, akPublic: tpm.akPublic };
        if (code !== undefined) {
          await assert.rejects(place.verifier.enrol(request), refusal(code));
          continue;
        }
        const { enrolment, credentialBlob, encryptedSecret } = await place.verifier.enrol(request);
        const secret = tpm.activate(credentialBlob, encryptedSecret);
        const { device } = await place.verifier.activate({ enrolment, secret });
        await place.attest(device, tpm);
        await place.approveBaseline(device);
        const { status, reasons, facts } = await place.attest(device, tpm);
        assert.equal(status, 'warning');
        assert.deepEqual(
          reasons.map((reason) => reason.code),
          ['endorsement-pinned'],
        );
        assert.equal(facts.attested, true);
      }
      // A token says whose device it is, not which TPM: it never stands in for a certificate.
      const tpm = new SoftwareTpm();
      const request = { token: await pinning.token(), ekPublic: tpm.ekPublic, akPublic: tpm.akPublic };
      await assert.rejects(pinning.verifier.enrol(request), refusal('ek-certificate-missing'));
    } finally {
      await pinning.close();
    }
  });

  test('cannot answer a challenge that another device was given', async () => {
    const other = await lab.enrol();
    const { device, tpm } = await lab.ready();
    const { nonce } = await lab.verifier.challenge(other.device);
    const evidence = lab.evidence(device, tpm, nonce);
    const appraisal = await lab.verifier.appraise(evidence, { exporter: EXPORTER });
    assert.equal(appraisal.reasons[0]?.code, 'quote-replayed');
    assert.equal(appraisal.authentic, false);
  });

  test('that restarts goes on, and its result says that this is another boot', async () => {
    const { device, tpm } = await lab.ready();
    const before = await lab.attest(device, tpm);
    assert.equal(before.boot, (await lab.attest(device, tpm)).boot);
    tpm.resetCount += 1;
    const after = await lab.attest(device, tpm);
    assert.equal(after.status, 'affirming');
    assert.notEqual(after.boot, before.boot);
  });

  test('that lost power is warned about, and its clock may have gone back a little', async () => {
    const { device, tpm } = await lab.ready();
    tpm.resetCount += 1;
    tpm.safe = 0;
    tpm.clock -= 60_000n;
    const { status, reasons, facts } = await lab.attest(device, tpm);
    assert.equal(status, 'warning');
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['clock-unsafe'],
    );
    assert.equal(facts.attested, true);
  });

  test('whose TPM went back stays refused, however often it attests', async () => {
    const { device, tpm } = await lab.ready();
    tpm.resetCount = 1;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { reasons, facts } = await lab.attest(device, tpm);
      assert.equal(reasons[0]?.code, 'reset-rollback');
      assert.equal(facts.attested, false);
    }
  });

  test('whose TPM went back stays refused until it is enrolled anew, wherever its counters are by then', async () => {
    for (const [code, back] of [
      ['reset-rollback', { resetCount: 1 }],
      ['clock-rollback', { clock: 5n }],
    ] as const) {
      const { device, tpm } = await lab.ready();
      const before = { resetCount: tpm.resetCount, clock: tpm.clock };
      Object.assign(tpm, back);
      assert.equal((await lab.attest(device, tpm)).reasons[0]?.code, code);
      // A copy of a TPM's state is started as often, and runs as long, as it takes.
      Object.assign(tpm, { resetCount: before.resetCount + 1, clock: before.clock + 1_000_000n });
      const { reasons, facts } = await lab.attest(device, tpm);
      assert.equal(reasons[0]?.code, code);
      assert.equal(facts.attested, false);
      await lab.verifier.forget(device);
      await lab.enrol(tpm);
      assert.equal((await lab.attest(device, tpm)).facts.attested, true);
    }
  });

  test('whose answers overtake each other did not go back: the older one says nothing', async () => {
    const { device, tpm } = await lab.ready();
    const [older, newer] = [
      lab.evidence(device, tpm, (await lab.verifier.challenge(device)).nonce),
      lab.evidence(device, tpm, (await lab.verifier.challenge(device)).nonce),
    ];
    lab.time += 1;
    assert.equal((await lab.verifier.appraise(newer, { exporter: EXPORTER })).status, 'affirming');
    const { authentic, reasons } = await lab.verifier.appraise(older, { exporter: EXPORTER });
    assert.deepEqual([authentic, reasons[0]?.code], [false, 'evidence-old']);
    assert.equal((await lab.verifier.posture(device))?.status, 'affirming');
  });

  test('whose maker revokes its certificate later is no longer trusted', async () => {
    const { device, tpm } = await lab.ready();
    const sources = { roots: [lab.ca.certificate], revocationLists: [lab.ca.revoke([7])] };
    const former = lab.endorsements;
    try {
      lab.endorsements = new Endorsements(sources);
      assert.equal((await lab.attest(device, tpm)).reasons[0]?.code, 'ek-certificate-revoked');
      lab.endorsements = new Endorsements({ roots: [] });
      const { reasons, facts } = await lab.attest(device, tpm);
      assert.equal(reasons[0]?.code, 'ek-chain-untrusted');
      assert.equal(facts.attested, false);
      assert.equal(facts.hardwareKey, false);
    } finally {
      lab.endorsements = former;
    }
  });

  test('started otherwise needs a new baseline, which an admin learns and approves', async () => {
    const { device, tpm } = await lab.ready();
    const boot = writeLog(bootEvents({ kernel: 'vmlinuz-6.13' }));
    const changed = await lab.attest(device, tpm, { boot });
    assert.equal(changed.status, 'contraindicated');
    assert.deepEqual(
      changed.reasons.map(({ code }) => code),
      ['pcr-not-allowed'],
    );
    assert.equal(changed.facts.baseline, false);
    assert.equal(changed.facts.attested, true);
    const learnt = await lab.verifier.learnBaseline(device, 'admin');
    assert.equal((await lab.attest(device, tpm, { boot })).facts.baseline, false, 'counts unapproved');
    await lab.verifier.approveBaseline(learnt.id, 'admin');
    assert.equal((await lab.attest(device, tpm, { boot })).facts.baseline, true);
    await lab.verifier.removeBaseline(learnt.id);
    assert.equal((await lab.attest(device, tpm, { boot })).facts.baseline, false);
    assert.equal(await lab.verifier.approveBaseline(learnt.id, 'admin'), undefined);
  });

  test('cannot be learnt from before it has attested', async () => {
    const { device } = await lab.enrol();
    await assert.rejects(lab.verifier.learnBaseline(device, 'admin'), refusal('posture-missing'));
  });
});
