// Every corpus from one seed, as many inputs as each change deserves; `npm run fuzz` tries more, from other seeds.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { run as admin } from './admin.ts';
import { run as attest } from './attest.ts';
import { COUNTS } from './bed/counts.ts';
import type { FuzzFigures, FuzzOptions } from './bed/tally.ts';
import { run as certificates } from './certificates.ts';
import { run as documents } from './documents.ts';
import { run as frames } from './frames.ts';
import { run as http } from './http.ts';
import { run as keyProofs } from './key-proofs.ts';
import { run as paths } from './paths.ts';
import { run as ssh } from './ssh.ts';
import { run as tokens } from './tokens.ts';

const SEED = 0x5a11;
/** Far more than a run takes: what ends it is the count. */
const SECONDS = 400;

const corpora: Readonly<Record<string, (options: FuzzOptions) => Promise<FuzzFigures>>> = {
  ...{ http, paths, frames, tokens, certificates, ssh, attest, documents, admin },
  'key-proofs': keyProofs,
};

test('every corpus of this folder is tried, and no other', () => {
  const files = globSync('*.ts', { cwd: import.meta.dirname })
    .map((file) => file.slice(0, -3))
    .filter((name) => name !== 'run' && !name.includes('.'));
  assert.deepEqual(Object.keys(COUNTS).sort(), files.sort());
  assert.deepEqual(Object.keys(corpora).sort(), files);
});

for (const [name, run] of Object.entries(corpora)) {
  const inputs = COUNTS[name]?.change ?? 0;
  test(`${name}: ${inputs} inputs bring nothing down and nothing through`, async (context) => {
    const {
      slowest_ms,
      failing,
      accepted = 0,
      ...figures
    } = await run({ seconds: SECONDS, seed: SEED, inputs });
    context.diagnostic(`slowest step ${slowest_ms} ms`);
    assert.deepEqual(
      { ...figures, accepted, failing },
      {
        inputs,
        accepted: 0,
        crashes: 0,
        unrecorded_allows: 0,
        upstream_bytes_without_allow: 0,
        failing: undefined,
      },
    );
  });
}
