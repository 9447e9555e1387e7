// Another implementation opens our logs: Go's sumdb packages and transparency.dev's proof format. Needs go and its proxy.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { proveRecord } from '#siem/ledger/prove';
import { formatProof } from '#siem/ledger/tlog-proof';
import { requires } from '../../requires.ts';
import { live, stateFor } from './part.ts';

const MODULES = ['golang.org/x/mod@v0.36.0', 'github.com/transparency-dev/formats@v0.1.1'];

test('Go opens keys, checkpoints, tiles and proofs, and finds the log consistent', {
  skip: requires('go'),
}, async (t) => {
  const state = stateFor(t);
  const directory = join(state, 'ledger/decisions');
  const [, , , id = ''] = await live(state, 400);
  const older = join(state, 'older');
  copyFileSync(join(directory, 'checkpoint'), older);
  await live(state, 500);
  const proven = await proveRecord(state, id);
  assert.ok(proven !== undefined);
  writeFileSync(join(state, 'proof'), formatProof(proven.proof));
  writeFileSync(join(state, 'record'), proven.record);

  const module = stateFor(t);
  const go = (...words: string[]): string =>
    execFileSync('go', words, { cwd: module, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  copyFileSync(join(import.meta.dirname, 'peer.go'), join(module, 'main.go'));
  go('mod', 'init', 'peer');
  try {
    go('get', ...MODULES);
  } catch {
    t.skip('skipped: the Go modules of the peer cannot be fetched');
    return;
  }
  const said = go('run', '.', directory, older, join(state, 'proof'), join(state, 'record'));
  assert.match(said, new RegExp(`^\\d{3} leaves, consistent with \\d{3}, leaf ${proven.index} proved\n$`));
});
