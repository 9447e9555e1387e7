// A record that cannot be written: then nothing is allowed and nobody signs in, it says so, and it works again by
// itself when there is room.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from '../story/installation.ts';
import { until } from '../story/part.ts';

/** A file system of 2 MiB for as long as the test runs, or undefined where there can be none. */
function smallDisk(t: TestContext): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs', directory]);
  t.after(() => {
    if (status === 0) execFileSync('umount', [directory]);
    rmdirSync(directory);
  });
  return status === 0 ? directory : undefined;
}

test('a full disk allows nothing, and what is free again is used', {
  skip: requires(...NEEDS),
  timeout: 120_000,
}, async (t) => {
  let disk: string | undefined;
  const installation = await StoryInstallation.start(t, {
    prepare: (directory) => {
      disk = smallDisk(t);
      if (disk !== undefined) symlinkSync(disk, join(directory, 'state/outbox'));
    },
  });
  if (disk === undefined) return t.skip('skipped: mounting a small tmpfs needs root');
  const { nginx, ports, outbox } = installation;
  const wiki = `${installation.originOf('wiki')}/`;
  const [ada, ben] = [installation.visitor(), installation.visitor()];
  await ada.signIn(wiki, 'ada', 'password');
  const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${ports.health}/readyz`)).status;
  assert.equal(await ready(), 200);

  const { bavail, bsize } = statfsSync(outbox);
  writeFileSync(`${outbox}/ballast`, Buffer.alloc(bavail * bsize));
  // The last page of the record may have room for a few more.
  const refused = await until('the disk is full', async () => {
    const reply = await ada.ask(wiki, { headers: { accept: 'application/json' } });
    return reply.status === 503 && reply;
  });
  assert.equal(JSON.parse(refused.body).error, 'not-decided');
  const reached = nginx.log().length;
  for (let again = 0; again < 5; again += 1) assert.equal((await ada.ask(wiki)).status, 503);
  assert.equal((await ben.signIn(wiki, 'ben', 'password')).status, 503, 'nobody signs in unseen');
  assert.equal(nginx.log().length, reached, 'nothing reached the app');
  assert.equal(await ready(), 503);

  rmSync(`${outbox}/ballast`);
  assert.equal((await ada.ask(wiki)).status, 200, 'the first request with room is served');
  assert.equal(await ready(), 200);
  assert.equal((await ben.signIn(wiki, 'ben', 'password')).status, 200);
  const told = await until('the time without a record is in the record', () =>
    installation.events().find(({ event }) => event.action === 'recording-interrupted'),
  );
  assert.equal(told.event.code, 'no-space');
});
