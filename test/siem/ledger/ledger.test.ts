// The two logs of a gateway: what goes where, before what it is there, and how they go on after a crash.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { EventKind } from '#siem/event';
import { entriesOf } from '#siem/ledger/audit/bundles';
import { auditState, readLogged } from '#siem/ledger/audit/verify';
import { actionOf, isChange, logOf } from '#siem/ledger/kinds';
import { findLine, readOutbox } from '#siem/outbox/read';
import { examples } from '../ecs/examples.ts';
import { live, startPart, stateFor } from './part.ts';

const sizeOf = (state: string, log: string): number =>
  Number(readFileSync(join(state, 'ledger', log, 'checkpoint'), 'utf8').split('\n')[1]);

describe('what is logged', () => {
  test('the line alone says which log it belongs to, for every kind of event', async (t) => {
    const state = stateFor(t);
    const part = await startPart(state);
    for (const event of Object.values(examples)) {
      const id = await part.recorder.record(event);
      await part.outbox.flush();
      const line = (await findLine(join(state, 'outbox'), id)) ?? Buffer.alloc(0);
      assert.equal(logOf(actionOf(line)), isChange(event.kind) ? 'changes' : 'decisions', event.kind);
    }
    await part.close();
  });

  test('docs/audit.md names every kind of event that is logged as a change', () => {
    const table = readFileSync(new URL('../../../docs/audit.md', import.meta.url), 'utf8');
    const [, row = ''] = /^\| `changes` \|([^|]*)\|/m.exec(table) ?? [];
    const named = [...row.matchAll(/`([a-z-]+)`/g)].map(([, kind]) => kind);
    const logged = Object.keys(examples).filter((kind) => isChange(kind as EventKind));
    assert.deepEqual(named.toSorted(), logged.toSorted());
  });

  test('a change is in its log, signed, with its exact bytes, when record() answers', async (t) => {
    const state = stateFor(t);
    const part = await startPart(state);
    t.after(() => part.close());
    const changes = (Object.keys(examples) as EventKind[]).filter(isChange);
    assert.equal(changes.length, 26);
    for (const [index, kind] of changes.entries()) {
      const id = await part.recorder.record(examples[kind]);
      assert.equal(sizeOf(state, 'changes'), index + 1);
      const entry = entriesOf(join(state, 'ledger/changes'), index + 1, 0).at(-1);
      assert.deepEqual(entry, await findLine(join(state, 'outbox'), id));
    }
  });

  test('a change is refused when its log cannot be written', async (t) => {
    const state = stateFor(t);
    const part = await startPart(state);
    t.after(() => part.close());
    await part.recorder.record(examples['policy-loaded']);
    // A file where a directory must be: no tile can be written.
    const tiles = join(state, 'ledger/changes/tile/0/000.p');
    rmSync(tiles, { recursive: true });
    writeFileSync(tiles, '');
    await assert.rejects(part.recorder.record(examples['policy-loaded']), { code: 'io' });
    assert.equal(sizeOf(state, 'changes'), 1);
    await part.recorder.record(examples['access-decided']);
    rmSync(tiles);
    await part.recorder.record(examples['session-revoked']);
    assert.equal(sizeOf(state, 'changes'), 3);
  });

  test('a change whose record is too long for the log is refused, and keeps nothing after it out of the log', async (t) => {
    const state = stateFor(t);
    const part = await startPart(state);
    t.after(() => part.close());
    const signers = Array.from({ length: 8000 }, (_, index) => `signer-${index}`);
    const long = { ...examples['change-accepted'], signers };
    await assert.rejects(part.recorder.record(long), { code: 'unencodable' });
    await part.recorder.record(examples['policy-loaded']);
    assert.equal(sizeOf(state, 'changes'), 1);
  });

  test('a log that cannot be written closes, with nothing else that keeps the process alive', (t) => {
    // In a process of its own: Node would end it as if all was done, while the log waits for its next attempt.
    const program = `
      import { writeFileSync } from 'node:fs';
      import { examples } from ${JSON.stringify(join(import.meta.dirname, '../ecs/examples.ts'))};
      import { startPart } from ${JSON.stringify(join(import.meta.dirname, 'part.ts'))};
      const state = ${JSON.stringify(stateFor(t))};
      const part = await startPart(state);
      writeFileSync(state + '/ledger/changes/tile', '');
      await part.recorder.record(examples['policy-loaded']).catch(({ code }) => console.log(code));
      await part.close();
      console.log('closed');
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    assert.equal(stdout, 'io\nclosed\n', stderr);
  });

  test('checkpoints are events, and a log that only they grow falls silent', async (t) => {
    const state = stateFor(t);
    await live(state, 600);
    const part = await startPart(state);
    const before = sizeOf(state, 'decisions');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    assert.equal(sizeOf(state, 'decisions'), before, 'nothing happened, so nothing was signed');
    await part.close();
    const notes = [];
    for await (const { document } of readOutbox(join(state, 'outbox'))) {
      if (document.event['action'] === 'ledger-checkpoint') notes.push(document);
    }
    assert.ok(notes.length >= 4 && notes.length < 20, `${notes.length} checkpoints`);
  });
});

describe('after a crash', () => {
  test('the logs go on as if nothing had happened, from any earlier state of theirs', async (t) => {
    const state = stateFor(t);
    await live(state, 300);
    const earlier = join(stateFor(t), 'ledger');
    cpSync(join(state, 'ledger'), earlier, { recursive: true });
    await live(state, 900);
    const size = sizeOf(state, 'decisions');
    for (const start of ['older', 'none', 'no changes', 'no decisions'] as const) {
      for (const log of ['changes', 'decisions']) {
        if (start.startsWith('no ') && !start.endsWith(log)) continue;
        rmSync(join(state, 'ledger', log, 'tile'), { recursive: true });
        rmSync(join(state, 'ledger', log, 'checkpoint'));
      }
      if (start === 'older') cpSync(earlier, join(state, 'ledger'), { recursive: true });
      const part = await startPart(state);
      await part.close();
      assert.ok(sizeOf(state, 'decisions') >= size, 'every record is there again');
      assert.equal(sizeOf(state, 'changes'), 4, `${start}: and no change twice`);
      assert.deepEqual((await auditState(state)).findings, [], start);
    }
  });

  test('does not start on logs or records that are not what was signed', async (t) => {
    const state = stateFor(t);
    await live(state, 50);
    const whole = stateFor(t);
    cpSync(state, whole, { recursive: true });
    const [segment = ''] = readdirSync(join(state, 'outbox')).filter((name) => name.endsWith('.jsonl'));
    truncateSync(join(state, 'outbox', segment), 0);
    await assert.rejects(startPart(state), { code: 'records-lost' });

    const checkpoint = join(whole, 'ledger/decisions/checkpoint');
    const note = readFileSync(checkpoint);
    appendFileSync(checkpoint, 'x');
    await assert.rejects(startPart(whole), { code: 'damaged' });
    writeFileSync(checkpoint, note);
    chmodSync(join(whole, 'ledger/decisions/log.key'), 0o644);
    await assert.rejects(startPart(whole), { code: 'loose-mode' });
  });

  test('segments that are not logged are kept; those that are may make room', async (t) => {
    const state = stateFor(t);
    for (let run = 0; run < 6; run++) await live(state, 100, { segmentBytes: 60_000, quotaBytes: 1_000_000 });
    assert.ok(!existsSync(join(state, 'outbox/000000000001.jsonl')), 'the first segment made room');
    const { findings, logs } = await auditState(state);
    assert.deepEqual(findings, []);
    const decisions = logs.find(({ log }) => log === 'decisions');
    assert.ok(decisions !== undefined && decisions.records < decisions.size, 'the log outlives the records');
    assert.equal(
      readLogged(state, 10).policy,
      '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    );
  });
});
