// Mistakes somebody could make in the verifier of TPM evidence: mostly one check left out.
import { DEVICES } from './attest/devices.ts';
import { EVIDENCE } from './attest/evidence.ts';
import { TRUST } from './attest/trust.ts';
import type { Mutant } from './run.ts';

export const tests: readonly string[] = [
  'gateway/attest/negatives.test.ts',
  'gateway/attest/event-log.test.ts',
  'gateway/attest/endorsements.test.ts',
  'gateway/attest/endorsement-sources.test.ts',
  'gateway/attest/verifier.test.ts',
  'gateway/attest/sharing.test.ts',
  'gateway/attest/connector.test.ts',
];

export const mutants: readonly Mutant[] = [...EVIDENCE, ...TRUST, ...DEVICES];
