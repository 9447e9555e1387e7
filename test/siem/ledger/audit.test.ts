// The audit: quiet on what is whole, and it names what was changed, taken out, added, set back or rewritten.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { auditState } from '#siem/ledger/audit/verify';
import { signerOf } from '#siem/ledger/note';
import { examples } from '../ecs/examples.ts';
import { live, startPart, stateFor } from './part.ts';
import { tamper } from './tampering.ts';

const segmentOf = (state: string): string => {
  const names = readdirSync(join(state, 'outbox')).filter((name) => name.endsWith('.jsonl'));
  return join(state, 'outbox', names[0] ?? '');
};

/** Replaces the lines of the first segment. */
function edit(state: string, change: (lines: string[]) => string[]): { file: string; lines: string[] } {
  const file = segmentOf(state);
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  writeFileSync(
    file,
    change([...lines])
      .map((line) => `${line}\n`)
      .join(''),
  );
  return { file, lines };
}

describe('an audit', () => {
  test('finds nothing on a whole state, also beside a gateway that goes on recording', async (t) => {
    const state = stateFor(t);
    await live(state, 700);
    const audit = await auditState(state);
    assert.deepEqual(audit.findings, []);
    assert.deepEqual(
      audit.logs.map(({ pending }) => pending),
      [0, 0],
    );
    const part = await startPart(state);
    let done = false;
    const recording = (async () => {
      while (!done) {
        await part.recorder.record(examples['access-decided']);
        await part.recorder.record(examples['connector-renewed']);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 10; round++) assert.deepEqual((await auditState(state)).findings, []);
    done = true;
    await recording;
    await part.close();
  });

  test('finds nothing on a state in which nothing was recorded yet, and misses a log that was taken away', async (t) => {
    const state = stateFor(t);
    const part = await startPart(state);
    const { findings, logs } = await auditState(state);
    assert.deepEqual(findings, []);
    assert.deepEqual(
      logs.map(({ log, size }) => [log, size]),
      [
        ['changes', 0],
        ['decisions', 0],
      ],
    );
    await part.recorder.record(examples['policy-loaded'], { durable: true });
    assert.deepEqual((await auditState(state)).findings, [], 'decisions are sealed a second later');
    await part.close();
    rmSync(join(state, 'ledger/decisions/checkpoint'));
    const without = await auditState(state);
    assert.match(without.findings[0]?.problem ?? '', /is missing/);
  });

  test('names the file and place of every flipped bit', async (t) => {
    const state = stateFor(t);
    await live(state, 520, { segmentBytes: 400_000 });
    await live(state, 20);
    const { tampered, found, missed } = await tamper(state, 90, Math.random);
    assert.deepEqual(missed, []);
    assert.equal(found, tampered);
  });

  const cases: readonly [string, (lines: string[]) => string[], number, RegExp][] = [
    [
      'a changed record',
      (lines) => lines.with(10, (lines[10] ?? '').replace('Ada', 'Eve')),
      10,
      /was changed/,
    ],
    ['a record taken out', (lines) => lines.toSpliced(10, 1), 10, /missing before|sequence/],
    [
      'a record put in',
      (lines) => lines.toSpliced(10, 0, '{"event":{"sequence":11}}'),
      10,
      /never logged|sequence/,
    ],
    [
      'two records that changed places',
      (lines) => lines.toSpliced(10, 2, lines[11] ?? '', lines[10] ?? ''),
      10,
      /./,
    ],
  ];
  for (const [name, change, line, problem] of cases) {
    test(`names ${name}`, async (t) => {
      const state = stateFor(t);
      await live(state, 40);
      const { file, lines } = edit(state, change);
      const { findings } = await auditState(state);
      const position = Buffer.byteLength(
        lines
          .slice(0, line)
          .map((one) => `${one}\n`)
          .join(''),
      );
      assert.ok(
        findings.some((one) => one.file === file && one.position === position && problem.test(one.problem)),
        JSON.stringify(findings.slice(0, 4)),
      );
      assert.ok(findings.length <= 5, 'the neighbours are not blamed');
    });
  }

  test('says when the newest records are gone, or a whole tile', async (t) => {
    const state = stateFor(t);
    await live(state, 300);
    const { file } = edit(state, (lines) => lines.slice(0, -5));
    rmSync(join(state, 'ledger/decisions/tile/0/000'));
    const { findings } = await auditState(state);
    assert.ok(findings.some((one) => one.file === file && /last 5 records/.test(one.problem)));
    assert.ok(findings.some((one) => one.file.endsWith('tile/0/000') && /missing/.test(one.problem)));
    rmSync(file);
    const { findings: without } = await auditState(state);
    assert.ok(
      without.some(({ problem }) => /the last \d+ records that were logged are missing/.test(problem)),
    );
  });

  test('with a checkpoint kept elsewhere, finds a log that was set back or rewritten whole', async (t) => {
    const state = stateFor(t);
    const early = stateFor(t);
    await live(state, 30);
    cpSync(state, early, { recursive: true });
    await live(state, 30);
    const since = join(stateFor(t), 'kept');
    copyFileSync(join(state, 'ledger/decisions/checkpoint'), since);
    assert.deepEqual((await auditState(state, { since: [since] })).findings, []);

    const key = readFileSync(join(state, 'ledger/decisions/log.vkey'), 'utf8').trimEnd();
    const other = signerOf('access.example.com/gw1', Buffer.alloc(32)).verifier.text;
    assert.deepEqual((await auditState(state, { keys: [key] })).findings, []);
    await assert.rejects(auditState(state, { keys: [key, other] }), /is the key of no log here/);
    await assert.rejects(auditState(state, { keys: [key, key] }), /is a second key of that log/);

    const setBack = await auditState(early, { since: [since] });
    assert.match(setBack.findings[0]?.problem ?? '', /set back/);
    // Whoever owns the machine owns the key, and can sign another history; not one that fits what was kept.
    await live(early, 40);
    const rewritten = await auditState(early, { since: [since] });
    assert.match(rewritten.findings[0]?.problem ?? '', /rewritten/);
    assert.equal((await auditState(early)).found, 0);
    // The checkpoints that were shipped tell on a log that alone was set back.
    cpSync(join(early, 'ledger/decisions/checkpoint'), join(state, 'ledger/decisions/checkpoint'));
    assert.notEqual((await auditState(state)).found, 0);
  });
});
