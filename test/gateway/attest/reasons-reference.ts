// The page of reasons, made of the vocabulary itself.
import { join } from 'node:path';
import { REASON_CODES, reasonOf } from '#gateway/attest/refusal';

export const PAGE: string = join(import.meta.dirname, '../../../docs/attestation-reasons.md');

export function reasonsReference(): string {
  const rows = REASON_CODES.map((code) => {
    const { message, remedy } = reasonOf(code);
    return `| \`${code}\` | ${message} | ${remedy} |`;
  });
  return [
    '# Why a device is refused',
    '',
    'Every way to be wrong has a code of its own. Codes are stable: events, alerts and scripts may rely on them. How',
    'attestation works, and what each group of checks is for, is in [attestation.md](attestation.md). This page is written',
    'by `node test/gateway/attest/write-reasons.ts`.',
    '',
    '| code | what is wrong | what mends it |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
