// The policy file: what is rejected is told once, however often somebody looks, and told again when it comes back.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PolicyFile } from '#gateway/access/policy-file';
import { Outbox } from '#siem/outbox/outbox';
import { readOutbox } from '#siem/outbox/read';
import { Recorder } from '#siem/recorder';
import { until } from '#test/story/part';
import { directoryFor } from '../../siem/outbox/documents.ts';

const good = (comment: string): string => `# ${comment}
version: 1
apps: [wiki]
rules:
  - { id: staff, allow: wiki, who: idp:staff }
tests:
  - { name: staff, app: wiki, groups: idp:staff, expect: allow }
  - { name: others, app: wiki, groups: idp:others, expect: deny }
`;

/** A policy file and who follows it, in a directory of their own. */
async function bed(t: TestContext) {
  const state = directoryFor(t);
  const file = join(state, 'policy.yaml');
  const outbox = new Outbox({ directory: join(state, 'outbox'), now: Date.now });
  t.after(() => outbox.close());
  const gateway = { id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' };
  const recorder = new Recorder({ outbox, gateway, now: Date.now });
  writeFileSync(file, good('first'));
  const open = (): Promise<PolicyFile> => PolicyFile.open({ file, state, recorder, onSwap: () => undefined });
  const policyFile = await open();
  return { state, file, outbox, policyFile, open };
}

interface Loaded {
  readonly event: { readonly action: string };
  readonly sallyport: { readonly change: { readonly hash: string; readonly previous_hash?: string } };
}

test('a start with another policy than the last is told as the change it is', async (t) => {
  const { state, file, policyFile, open } = await bed(t);
  const first = policyFile.current.hash;
  const same = await open();
  writeFileSync(file, good('second'));
  const second = (await open()).current.hash;
  writeFileSync(file, good('third'));
  await same.reload();
  const third = same.current.hash;
  // Back to the first, of which there is a copy already.
  writeFileSync(file, good('first'));
  await open();
  const told: unknown[] = [];
  for await (const { document } of readOutbox(join(state, 'outbox'))) {
    const { event, sallyport } = document as unknown as Loaded;
    if (event.action === 'policy-loaded') told.push([sallyport.change.hash, sallyport.change.previous_hash]);
  }
  assert.deepEqual(told, [
    [first, undefined],
    [first, undefined],
    [second, first],
    [third, first],
    [first, third],
  ]);
});

test('whoever asks to reload is answered when the file is in force, also if others asked as well', async (t) => {
  const { file, policyFile } = await bed(t);
  const before = policyFile.current.hash;
  writeFileSync(file, good('second'));
  const asked = policyFile.reload();
  const others = [policyFile.reload(), policyFile.reload()];
  assert.deepEqual(await asked, []);
  assert.notEqual(policyFile.current.hash, before);
  await Promise.all(others);
});

test('a rejected document is recorded once, and again after another one', async (t) => {
  const { state, file, policyFile } = await bed(t);
  const reload = async (text: string): Promise<number> => {
    writeFileSync(file, text);
    return (await Promise.all([policyFile.reload(), policyFile.reload()])).flat().length;
  };
  assert.ok((await reload('version: 1\nalow: []\n')) > 0);
  assert.ok((await reload('version: 1\nalow: []\n')) > 0, 'who asks is told again');
  assert.ok((await reload('version: 1\nalow: [] \n')) > 0);
  assert.equal(await reload(good('second')), 0);
  assert.ok((await reload('version: 1\nalow: [] \n')) > 0);
  const actions: unknown[] = [];
  for await (const { document } of readOutbox(join(state, 'outbox'))) actions.push(document.event['action']);
  assert.deepEqual(
    actions.filter((action) => action === 'policy-rejected'),
    ['policy-rejected', 'policy-rejected', 'policy-rejected'],
  );
});

test('an edit after the file was read and before it is watched is taken up', async (t) => {
  const { file, policyFile } = await bed(t);
  t.after(() => policyFile.close());
  const before = policyFile.current.hash;
  writeFileSync(file, good('second'));
  policyFile.watch();
  await until('the edit is in force', () => policyFile.current.hash !== before);
});

test('what could not be recorded, as on a full disk, is taken up, or told of, when it can be', async (t) => {
  const { state, file, outbox, policyFile } = await bed(t);
  t.after(() => policyFile.close());
  const before = policyFile.current.hash;
  outbox.pretendFull(true);
  writeFileSync(file, good('second'));
  assert.match((await policyFile.reload()).join(), /not taken up: .*no room/);
  assert.equal(policyFile.current.hash, before);
  outbox.pretendFull(false);
  await until('it is in force', () => policyFile.current.hash !== before);
  outbox.pretendFull(true);
  writeFileSync(file, 'version: 1\nalow: []\n');
  assert.ok((await policyFile.reload()).length > 0);
  outbox.pretendFull(false);
  await until('it is told of', async () => {
    const actions: unknown[] = [];
    for await (const { document } of readOutbox(join(state, 'outbox')))
      actions.push(document.event['action']);
    return actions.includes('policy-rejected');
  });
});
