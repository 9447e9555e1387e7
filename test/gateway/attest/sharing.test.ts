// Many at once: challenges, tokens and TPMs are used once over all gateways that share a store.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EXPORTER, Laboratory, refusal } from './laboratory.ts';
import { SoftwareTpm } from './software-tpm.ts';

describe('a device among many', () => {
  let lab: Laboratory;
  before(() => {
    lab = new Laboratory();
  });
  after(() => lab.close());

  test('answers a challenge at another gateway, and once over all of them', async () => {
    const { device, tpm } = await lab.ready();
    const gateways = [lab.verifier, ...Array.from({ length: 4 }, () => lab.another())];
    const { nonce } = await lab.verifier.challenge(device);
    const evidence = lab.evidence(device, tpm, nonce);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        gateways[n % gateways.length]?.appraise(evidence, { exporter: EXPORTER }),
      ),
    );
    const authentic = answers.filter((answer) => answer?.authentic === true);
    assert.equal(authentic.length, 1);
    for (const answer of answers) {
      if (answer?.authentic === false) assert.equal(answer.reasons[0]?.code, 'quote-replayed');
    }
    const other = gateways[1] ?? lab.verifier;
    await other.revoke(device, 'admin');
    assert.equal(await lab.verifier.posture(device), undefined, 'revoked at one gateway only');
  });

  test('that is revoked while its evidence is judged has no posture', async () => {
    const { device, tpm } = await lab.ready();
    const judged = lab.attest(device, tpm);
    await lab.verifier.revoke(device, 'admin');
    await judged;
    assert.equal(await lab.verifier.posture(device), undefined);
    assert.equal((await lab.verifier.find(device))?.state, 'revoked');
  });

  test('that is enrolled anew while it is approved keeps its new keys, and waits', async () => {
    const before = new SoftwareTpm();
    const { device } = await lab.enrol(before, { approved: false });
    const after = Object.assign(new SoftwareTpm(), { ek: before.ek, ekPublic: before.ekPublic });
    const { get } = lab.store;
    lab.store.get = async (kind, key) => {
      const found = await get.call(lab.store, kind, key);
      if (kind === 'deviceRevocation') {
        lab.store.get = get;
        await lab.another().forget(device);
        await lab.enrol(after, { approved: false });
      }
      return found as never;
    };
    await assert.rejects(lab.verifier.approve(device, 'admin'), refusal('device-unknown'));
    const known = await lab.verifier.find(device);
    assert.equal(known?.state, 'pending');
    assert.equal(known?.binding.akPublic, after.akPublic.toString('base64url'));
  });

  test('of fifty right answers to one enrolment, exactly one enrols', async () => {
    const tpm = new SoftwareTpm();
    const { enrolment, credentialBlob, encryptedSecret } = await lab.verifier.enrol({
      token: await lab.token(),
      ekCertificate: lab.ca.endorse(tpm.ek.publicKey),
      ekPublic: tpm.ekPublic,
      akPublic: tpm.akPublic,
    });
    const secret = tpm.activate(credentialBlob, encryptedSecret);
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, () => lab.verifier.activate({ enrolment, secret })),
    );
    assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('of fifty that use one token, exactly one enrols', async () => {
    const token = await lab.token();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => {
        const tpm = new SoftwareTpm();
        const ekCertificate = lab.ca.endorse(tpm.ek.publicKey);
        return lab.verifier.enrol({ token, ekCertificate, ekPublic: tpm.ekPublic, akPublic: tpm.akPublic });
      }),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') refusal('token-used')(outcome.reason);
    }
  });

  test('one TPM with fifty tokens is one device', async () => {
    const tpm = new SoftwareTpm();
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => lab.enrol(tpm)));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') refusal('ek-enrolled')(outcome.reason);
    }
    const names = (await lab.store.list('deviceName')).filter(
      ([, { device }]) => device === outcomeDevice(outcomes),
    );
    assert.equal(names.length, 1, 'a name is held by a device that was not written');
  });
});

function outcomeDevice(outcomes: readonly PromiseSettledResult<{ device: string }>[]): string | undefined {
  return outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.device] : []))[0];
}
