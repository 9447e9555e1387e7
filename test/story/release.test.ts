// A gateway that measures its own code: a copy of this installation as it was signed, and then with one file changed.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ChangeBed, publicKey } from '../gateway/change/bed.ts';
import { requires } from '../requires.ts';
import { gatewayDocument, POLICY } from './documents.ts';
import { ROOT } from './installation.ts';
import { Part } from './part.ts';
import { freePorts } from './ports.ts';
import { eventsIn } from './record.ts';

test('a gateway says whether its code is that of its release, and does not start if it must be', {
  skip: requires('ssh-keygen'),
}, async (t) => {
  const bed = new ChangeBed();
  t.after(() => bed.close());
  const program = bed.path('program');
  mkdirSync(program);
  for (const entry of ['bin', 'connectors', 'gateway', 'policy', 'siem', 'package.json'])
    cpSync(join(ROOT, entry), join(program, entry), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(program, 'node_modules'));
  let runs = 0;
  const run = (...args: readonly string[]): Part => {
    runs += 1;
    const part = new Part(
      `sallyport ${args[0]}`,
      process.execPath,
      [join(program, 'bin/sallyport.js'), ...args],
      {
        ...{ cwd: bed.directory, log: bed.path(`run-${runs}.log`) },
      },
    );
    t.after(() => part.stop());
    return part;
  };
  const done = async (...args: readonly string[]): Promise<string> => {
    const part = run(...args);
    assert.equal((await part.ended).code, 0, part.output);
    return part.output;
  };
  const [people = 0, connectors = 0, health = 0, provider = 0] = await freePorts(4);
  const ports = { people, connectors, health, provider, nginx: 0, receiver: 0 };
  const key = bed.key('maker');
  bed.write('release_signers', `maker@example.com ${publicKey(key)}\n`);
  bed.write('policy.yaml', POLICY);
  const release = (onDrift: string): string =>
    `release: { signers: ./release_signers, manifest: ./release.json, onDrift: ${onDrift} }\n`;
  const document = gatewayDocument(ports).replace(/ {6}clientSecret.*\n {6}ca:.*\n/, '');
  bed.write('gateway.yaml', document + release('refuse'));

  await done('release', 'manifest', '--out', 'release.json');
  await done('release', 'sign', 'release.json', '--key', key);
  let gateway = run('gateway', '--config', 'gateway.yaml', '--json');
  await gateway.said(/"ready":true/);
  assert.match(
    await done('status', '--config', 'gateway.yaml'),
    /release +the program files are those of release/,
  );
  await gateway.stop();

  appendFileSync(join(program, 'gateway/flow.ts'), '\n');
  gateway = run('gateway', '--config', 'gateway.yaml', '--json');
  assert.equal((await gateway.ended).code, 1, gateway.output);
  assert.match(
    gateway.output,
    /not started\. the program files are not those of release .*changed: gateway\/flow\.ts/,
  );

  bed.write('gateway.yaml', document + release('report'));
  gateway = run('gateway', '--config', 'gateway.yaml', '--json');
  await gateway.said(/"ready":true/);
  const status = JSON.parse(await done('status', '--config', 'gateway.yaml', '--json'));
  assert.deepEqual([status.release.verdict, status.release.changed], ['drifted', ['gateway/flow.ts']]);
  await gateway.stop();
  const measured = eventsIn(bed.path('state/outbox')).filter(({ event }) => event.action === 'code-measured');
  assert.deepEqual(
    measured.map(({ message }) => message),
    [
      'The program files are those of the release',
      ...Array(2).fill('The program files are not those of the release'),
    ],
  );
});
