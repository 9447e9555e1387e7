// Every corpus from one seed, as many inputs as each change deserves; `npm run fuzz` tries more, from other seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run as admin } from './admin.ts';
import { run as attest } from './attest.ts';
import type { FuzzFigures, FuzzOptions } from './bed/tally.ts';
import { run as certificates } from './certificates.ts';
import { run as documents } from './documents.ts';
import { run as frames } from './frames.ts';
import { run as http } from './http.ts';
import { run as paths } from './paths.ts';
import { run as tokens } from './tokens.ts';

const SEED = 0x5a11;
/** Far more than a run takes: what ends it is the count. */
const SECONDS = 400;

const corpora: readonly (readonly [
  string,
  (options: FuzzOptions) => Promise<FuzzFigures>,
  inputs: number,
])[] = [
  ['http', http, 50_000],
  ['paths', paths, 100_000],
  ['frames', frames, 50_000],
  ['tokens', tokens, 20_000],
  ['certificates', certificates, 20_000],
  ['attest', attest, 20_000],
  ['documents', documents, 10_000],
  ['admin', admin, 10_000],
];

for (const [name, run, inputs] of corpora) {
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
