// Mistakes in what becomes of devices: enrolments, appraisals, baselines and revocations.
import type { Mutant } from '../run.ts';

export const DEVICES: readonly Mutant[] = [
  {
    name: 'PCRs may never have been extended',
    file: 'gateway/attest/appraise.ts',
    find: '    checkExtended(read, input.pcrs);\n',
    replace: '    void checkExtended;\n',
  },
  {
    name: 'secure boot may be off',
    file: 'gateway/attest/appraise.ts',
    find: "if (!enabled) findings.add('secure-boot-off');",
    replace: '',
  },
  {
    name: 'debugging is ignored',
    file: 'gateway/attest/appraise.ts',
    find: "if (state.weakened) findings.add('firmware-debug');",
    replace: '',
  },
  {
    name: 'a reset counter may go back',
    file: 'gateway/attest/appraise.ts',
    find: "if (quote.resetCount < last.resetCount) throw new AttestationRefusal('reset-rollback');",
    replace: '',
  },
  {
    name: 'a clock may go back',
    file: 'gateway/attest/appraise.ts',
    find: "if (quote.clock + slack < BigInt(last.clock)) throw new AttestationRefusal('clock-rollback');",
    replace: 'void slack;',
  },
  {
    name: 'after going back once the lower counters count',
    file: 'gateway/attest/appraise.ts',
    find: 'regular || last === undefined ? quote : last',
    replace: 'last === undefined || regular !== undefined ? quote : last',
  },
  {
    name: 'a device need not be approved',
    file: 'gateway/attest/appraise.ts',
    find: "if (record.approvedAt === undefined) throw new AttestationRefusal('device-not-approved');",
    replace: '',
  },
  {
    name: 'the certificate is not looked at again',
    file: 'gateway/attest/appraise.ts',
    find: '  endorsements.recheck(endorsement, now);\n',
    replace: '  void endorsements;\n  void now;\n',
  },
  {
    name: 'an empty list of a baseline is no different from a missing one',
    file: 'gateway/attest/baseline.ts',
    find: 'list !== undefined && (list.length === 0 || list.includes(pcr))',
    replace: 'list === undefined || list.length === 0 || list.includes(pcr)',
  },
  {
    name: 'old firmware is good',
    file: 'gateway/attest/baseline.ts',
    find: "found.push('firmware-too-old');",
    replace: '',
  },
  {
    name: 'a challenge may be answered twice',
    file: 'gateway/attest/verifier.ts',
    find: "const challenge = await store.take('attestationChallenge', keyOf(evidence.nonce));",
    replace: "const challenge = await store.get('attestationChallenge', keyOf(evidence.nonce));",
  },
  {
    name: 'a challenge may be answered by another device',
    file: 'gateway/attest/verifier.ts',
    find: "if (challenge?.purpose !== 'quote' || challenge.device !== device) {",
    replace: "if (challenge?.purpose !== 'quote') {",
  },
  {
    name: 'a late answer is good',
    file: 'gateway/attest/verifier.ts',
    find: "if (challenge.expiresAt <= now()) throw new AttestationRefusal('quote-late');",
    replace: '',
  },
  {
    name: 'a revoked device may attest',
    file: 'gateway/attest/verifier.ts',
    find: "if (state === 'revoked') throw new AttestationRefusal('device-revoked');",
    replace: 'void state;',
  },
  {
    name: 'a revoked device keeps its posture',
    file: 'gateway/attest/verifier.ts',
    find: ' || revocation !== undefined',
    replace: 'if (posture === undefined || record?.approvedAt === undefined) return undefined;',
  },
  {
    name: 'a result never runs out',
    file: 'gateway/attest/verifier.ts',
    find: 'return posture.appraisal.expiresAt > now() ? posture.appraisal : undefined;',
    replace: 'return now() > 0 ? posture.appraisal : undefined;',
  },
  {
    name: 'a token may be used twice',
    file: 'gateway/attest/enrolment.ts',
    find: "const grant = await store.take('deviceGrant', key);",
    replace: "const grant = await store.get('deviceGrant', key);",
  },
  {
    name: 'an enrolment may be answered twice',
    file: 'gateway/attest/enrolment.ts',
    find: "const challenge = await store.take('attestationChallenge', keyOf(answer.enrolment));",
    replace: "const challenge = await store.get('attestationChallenge', keyOf(answer.enrolment));",
  },
  {
    name: 'an enrolment may be answered late',
    file: 'gateway/attest/enrolment.ts',
    find: "if (challenge.expiresAt <= now()) throw new AttestationRefusal('challenge-expired', grant.name);",
    replace: '',
  },
  {
    name: 'any secret enrols',
    file: 'gateway/attest/enrolment.ts',
    find: "if (!timingSafeEqual(digestOf(answer.secret), Buffer.from(secret, 'base64url'))) {",
    replace: "if (!timingSafeEqual(digestOf(answer.secret), digestOf(answer.secret)) || secret === '') {",
  },
  {
    name: 'attributes of an AK are not checked',
    file: 'gateway/attest/enrolment.ts',
    find: '    checkAttestationKey(ak);\n',
    replace: '    void checkAttestationKey;\n',
  },
  {
    name: 'a token stands in for a certificate',
    file: 'gateway/attest/enrolment.ts',
    find: 'if (!named || !pinnedKeys)',
    replace: 'if (!pinnedKeys)',
  },
  {
    name: 'pinning needs no setting',
    file: 'gateway/attest/enrolment.ts',
    find: 'if (!named || !pinnedKeys)',
    replace: 'if (!named || pinnedKeys === undefined)',
  },
];
