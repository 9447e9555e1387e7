// A renewed certificate is shown when the machine is proved over it, and not when a proof over the one before is done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '#connectors/link/identity';
import { Proven } from '#connectors/proven';

const [before, renewed] = [{} as Identity, {} as Identity];

test('who waits for a proof over a certificate is let go by that one alone', async () => {
  const proven = new Proven(3_600_000);
  proven.by(before);
  let gone = false;
  const waiting = proven.over(renewed).then(() => {
    gone = true;
  });
  proven.by(before);
  await turn();
  assert.equal(gone, false, 'it was under way already');
  proven.by(renewed);
  await waiting;
  await proven.over(renewed);
});

test('nobody waits for longer than the grace', async () => {
  await new Proven(1).over(renewed);
});
