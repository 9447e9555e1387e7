// A gateway killed at random moments under load: no allowed request without its event, and it serves again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { NEEDS } from '../story/installation.ts';
import { killGateway } from './spine.ts';

test('kill -9 of the gateway, again and again, loses no event', {
  skip: requires(...NEEDS),
}, async (t) => {
  const kills = Number(process.env['SALLYPORT_KILLS'] ?? 10);
  const outcome = await killGateway(t, kills, (line) => t.diagnostic(line));
  assert.deepEqual(outcome.unrecorded, []);
  assert.deepEqual(outcome.faults, []);
  assert.ok(outcome.answered > kills, 'there was load');
  t.diagnostic(
    `${kills} kills, ${outcome.answered} answers, ${outcome.reached} at the app, back after at most ${Math.round(Math.max(...outcome.back))} ms`,
  );
});
