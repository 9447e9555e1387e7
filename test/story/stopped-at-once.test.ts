// A gateway that is stopped in the very moment it says that it is ready: it stops in order, and leaves its state whole.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { LAUNCHER, NEEDS, StoryInstallation } from './installation.ts';
import { Part } from './part.ts';

/** Sends the process it is loaded into SIGTERM with its word that it is ready: no reader can be as quick. */
const STOPS_ITSELF = `data:text/javascript,${encodeURIComponent(
  'const { write } = process.stdout;' +
    'process.stdout.write = function (text, ...more) {' +
    '  const wrote = write.call(this, text, ...more);' +
    `  if (String(text).includes('"ready":true')) process.kill(process.pid, 'SIGTERM');` +
    '  return wrote;' +
    '};',
)}`;

test('a gateway that is stopped as soon as it is ready', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  await installation.gateway.stop();
  const args = ['--import', STOPS_ITSELF, LAUNCHER, 'gateway', '--config', 'gateway.yaml', '--json'];
  const { directory: cwd } = installation;
  const part = new Part('gateway', process.execPath, args, { cwd, log: installation.path('gateway.log') });
  installation.atEnd(() => part.stop());
  assert.deepEqual(await part.ended, { code: 0, signal: null }, part.output);
  assert.match(part.output, /"ready":true/);
  assert.equal(existsSync(installation.path('state/state.sqlite-wal')), false, 'its state was closed');
});
