// Everything that has to be refused is, each for its own reason, and what is right still passes between.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { Honest } from './bad-case.ts';
import { BAD_ENROLMENTS } from './bad-enrolments.ts';
import { BAD_EVIDENCE } from './bad-evidence.ts';
import { Laboratory } from './laboratory.ts';
import { attestBytes, SoftwareTpm } from './software-tpm.ts';

const TOTAL = BAD_ENROLMENTS.length + BAD_EVIDENCE.length;

/** Two ways to break one equation: the PCR values sent are not those the TPM hashed. */
const SHARED = new Set(['value mismatch']);

test('every case has a reason of its own', () => {
  const codes = [...BAD_ENROLMENTS, ...BAD_EVIDENCE]
    .filter(({ name }) => !SHARED.has(name))
    .map(({ code }) => code);
  assert.deepEqual(
    codes.filter((code, index) => codes.indexOf(code) !== index),
    [],
  );
});

describe('refused, each for its own reason', () => {
  let lab: Laboratory;
  let refused = 0;
  before(() => {
    lab = new Laboratory();
  });
  after(async () => {
    await lab.close();
    console.log(`attest: negatives refused ${refused} of ${TOTAL}`);
  });

  for (const { name, code, enrol } of BAD_ENROLMENTS) {
    test(`enrolment: ${name} (${code})`, async () => {
      await assert.rejects(enrol(lab), (error: unknown) => {
        assert.ok(error instanceof AttestationRefusal, String(error));
        assert.equal(error.code, code);
        return true;
      });
      refused += 1;
    });
  }

  for (const { name, code, attest } of BAD_EVIDENCE) {
    test(`evidence: ${name} (${code})`, async () => {
      const honest: Honest = { lab, ...(await lab.ready()) };
      const appraisal = await attest(honest);
      assert.ok(
        appraisal.reasons.some((reason) => reason.code === code),
        JSON.stringify(appraisal.reasons),
      );
      assert.notEqual(appraisal.status, 'affirming');
      const { attested, secureBoot, baseline } = appraisal.facts;
      assert.ok(!(attested === true && secureBoot === true && baseline === true), 'facts as if all was well');
      if (!appraisal.authentic) assert.deepEqual(Object.keys(appraisal.facts), ['id']);
      refused += 1;
    });
  }

  test('what is right passes in the same place', async () => {
    const { device, tpm } = await lab.ready(new SoftwareTpm('rsa', 'rsa'));
    assert.equal((await lab.attest(device, tpm)).status, 'affirming');
  });
});

describe('every truncation', () => {
  let lab: Laboratory;
  before(() => {
    lab = new Laboratory();
  });
  after(() => lab.close());

  test('of a quote, a certification and both signatures is refused, signed or not', async () => {
    const { device, tpm } = await lab.ready();
    const length = attestBytes(tpm.quoteFields(Buffer.alloc(32), [])).length;
    for (let size = 0; size < length; size += 1) {
      const appraisal = await lab.attest(device, tpm, { quoted: (bytes) => bytes.subarray(0, size) });
      assert.equal(appraisal.reasons[0]?.code, 'attest-truncated', `quote of ${size} bytes`);
    }
    const whole = lab.evidence(device, tpm, Buffer.alloc(32));
    for (const member of ['signature', 'certifyInfo', 'certifySignature'] as const) {
      const bytes = member === 'signature' ? whole.signature : whole.key[member];
      for (let size = 0; size < bytes.length; size += 1) {
        const appraisal = await lab.attest(device, tpm, {
          after: (e) =>
            member === 'signature'
              ? { ...e, signature: e.signature.subarray(0, size) }
              : { ...e, key: { ...e.key, [member]: e.key[member].subarray(0, size) } },
        });
        assert.match(
          appraisal.reasons[0]?.code ?? '',
          /^(attest|signature)-truncated$/,
          `${member} of ${size} bytes`,
        );
      }
    }
  });
});
