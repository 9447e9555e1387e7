// Brings docs/attestation-reasons.md up to date with the vocabulary: node test/gateway/attest/write-reasons.ts
import { writeFileSync } from 'node:fs';
import { PAGE, reasonsReference } from './reasons-reference.ts';

writeFileSync(PAGE, reasonsReference());
