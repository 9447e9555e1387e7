// Event logs: replayed in every bank, read by a grammar that relabelled events do not pass.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { judgeBaseline } from '#gateway/attest/baseline';
import { readCommandLines } from '#gateway/attest/command-line';
import { type EventLog, parseEventLog } from '#gateway/attest/event-log';
import type { ReasonCode } from '#gateway/attest/reasons';
import type { Baseline } from '#gateway/attest/records';
import { AttestationRefusal } from '#gateway/attest/refusal';
import { replay } from '#gateway/attest/replay';
import { readSecureBoot } from '#gateway/attest/secure-boot';
import { findProgram, requires } from '#test/requires';
import {
  type Bank,
  type BootEvent,
  bootEntry,
  bootEvents,
  policyEvent,
  STARTUP_LOCALITY_3,
  separator,
  TYPE,
  variable,
  writeLog,
} from './boot-log.ts';

const BANKS: readonly Bank[] = ['sha1', 'sha256', 'sha384'];
const logOf = (events: readonly BootEvent[]): EventLog => parseEventLog(writeLog(events).log);

function refuses(run: () => unknown, code: ReasonCode): void {
  assert.throws(run, (error: unknown) => error instanceof AttestationRefusal && error.code === code);
}

describe('replay', () => {
  test('leads to the same values in each bank', () => {
    const { log, pcrs } = writeLog(bootEvents(), BANKS);
    for (const bank of BANKS) assert.deepEqual(replay(parseEventLog(log), bank, 16), pcrs[bank]);
  });

  test('has no values for a bank that was not logged', () => {
    assert.equal(replay(parseEventLog(writeLog(bootEvents(), ['sha1']).log), 'sha256', 8), undefined);
  });

  test('begins PCR 0 with the locality that started the TPM', () => {
    const { log, pcrs } = writeLog([STARTUP_LOCALITY_3, ...bootEvents()], BANKS);
    const plain = writeLog(bootEvents(), BANKS);
    for (const bank of BANKS) {
      assert.deepEqual(replay(parseEventLog(log), bank, 16), pcrs[bank]);
      assert.notDeepEqual(pcrs[bank][0], plain.pcrs[bank][0]);
      assert.deepEqual(pcrs[bank][1], plain.pcrs[bank][1]);
    }
  });

  test('takes no locality that comes late, twice, or from nowhere', () => {
    const late = [...bootEvents(), STARTUP_LOCALITY_3];
    const five = { ...STARTUP_LOCALITY_3, data: Buffer.from('StartupLocality\0\u0005', 'latin1') };
    const elsewhere = { ...STARTUP_LOCALITY_3, pcr: 1 };
    for (const events of [late, [STARTUP_LOCALITY_3, STARTUP_LOCALITY_3], [five], [elsewhere]]) {
      refuses(() => logOf(events), 'log-malformed');
    }
  });

  test('skips entries that measure nothing, whatever PCR they name', () => {
    const nothing = { pcr: 0xffffffff, type: TYPE.NO_ACTION, data: Buffer.from('a note') };
    const { log } = writeLog([nothing, ...bootEvents()]);
    assert.deepEqual(replay(parseEventLog(log), 'sha256', 8), writeLog(bootEvents()).pcrs.sha256.slice(0, 8));
    refuses(() => logOf([{ pcr: 24, type: 5, data: Buffer.alloc(1) }]), 'log-malformed');
  });

  test('agrees with tpm2_eventlog', { skip: requires('tpm2_eventlog') }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-'));
    try {
      const { log, pcrs } = writeLog(bootEvents(), ['sha1', 'sha256']);
      writeFileSync(join(directory, 'log'), log);
      const said = execFileSync(findProgram('tpm2_eventlog') ?? '', [join(directory, 'log')], {
        encoding: 'utf8',
      });
      const values = said.slice(said.lastIndexOf('pcrs:')).toLowerCase();
      for (const bank of ['sha1', 'sha256'] as const) {
        for (const pcr of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
          const hex = pcrs[bank][pcr]?.toString('hex') ?? '';
          assert.match(values, new RegExp(`${pcr}\\s*: 0x${hex}`), `${bank} PCR ${pcr}`);
        }
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('every truncation is refused, or is a shorter log', () => {
    const { log, pcrs } = writeLog(bootEvents());
    let shorter = 0;
    for (let size = 0; size < log.length; size += 1) {
      try {
        const replayed = replay(parseEventLog(log.subarray(0, size)), 'sha256', 16);
        assert.notDeepEqual(replayed, pcrs.sha256, `${size} bytes`);
        shorter += 1;
      } catch (error) {
        assert.ok(error instanceof AttestationRefusal);
      }
    }
    assert.equal(shorter, bootEvents().length, 'cut between two events, and nowhere else');
  });
});

describe('secure boot', () => {
  const PCR7 = bootEvents().filter(({ pcr }) => pcr === 7);
  const [secureBoot, pk, kek, db, dbx, end, authority] = PCR7 as [
    ...[BootEvent, BootEvent, BootEvent, BootEvent, BootEvent, BootEvent, BootEvent],
  ];
  const action = (words: string): BootEvent => ({ pcr: 7, type: TYPE.ACTION, data: Buffer.from(words) });
  const off = (data: Buffer): BootEvent[] => [policyEvent('SecureBoot', data), ...PCR7.slice(1)];

  test('is on, or off for 0 and for a variable without data', () => {
    assert.deepEqual(readSecureBoot(logOf(PCR7)), { enabled: true, weakened: false });
    assert.equal(readSecureBoot(logOf(off(Buffer.of(0)))).enabled, false);
    assert.equal(readSecureBoot(logOf(off(Buffer.alloc(0)))).enabled, false);
    refuses(() => readSecureBoot(logOf(off(Buffer.of(2)))), 'event-data-rewritten');
    refuses(() => readSecureBoot(logOf(off(Buffer.of(1, 1)))), 'event-data-rewritten');
  });

  test('is worth less with debugging, an open DMA, or in audit or setup mode', () => {
    const before = (event: BootEvent): EventLog => logOf([event, ...PCR7]);
    const within = (event: BootEvent): EventLog => logOf(PCR7.toSpliced(5, 0, event));
    assert.equal(readSecureBoot(before(action('UEFI Debug Mode'))).weakened, true);
    assert.equal(readSecureBoot(within(action('DMA Protection Disabled\0'))).weakened, true);
    assert.equal(readSecureBoot(within(policyEvent('AuditMode', Buffer.of(1)))).weakened, true);
    assert.equal(readSecureBoot(within(policyEvent('SetupMode', Buffer.of(1)))).enabled, false);
    assert.equal(readSecureBoot(within(policyEvent('DeployedMode', Buffer.of(1)))).weakened, false);
  });

  const wrong: readonly (readonly [name: string, events: readonly BootEvent[]])[] = [
    ['another order', [pk, secureBoot, kek, db, dbx, end]],
    ['a variable twice', [secureBoot, secureBoot, pk, kek, db, dbx, end]],
    ['a variable missing', [secureBoot, pk, kek, db, end]],
    ['an unknown variable', [secureBoot, pk, kek, db, dbx, policyEvent('MyMode', Buffer.of(1)), end]],
    ['no separator', [secureBoot, pk, kek, db, dbx]],
    ['two separators', [...PCR7, separator(7)]],
    ['a separator that reports an error', [...PCR7.slice(0, 5), { ...end, data: Buffer.of(1, 0, 0, 0) }]],
    ['policy after the separator', [...PCR7, policyEvent('SecureBoot', Buffer.of(1))]],
    ['authority before the separator', [authority, ...PCR7]],
    ['an authority that is no variable', [...PCR7, { ...authority, data: Buffer.from('x') }]],
    ['an unknown action', [action('All is well'), ...PCR7]],
    ['an unknown type', [{ pcr: 7, type: 0x12345, data: Buffer.of(1) }, ...PCR7]],
    [
      'a variable of another owner',
      [
        { ...secureBoot, data: variable('SecureBoot', '605dab50-e046-4300-abb6-3dd810dd8b23', Buffer.of(1)) },
        ...PCR7.slice(1),
      ],
    ],
  ];
  for (const [name, events] of wrong) {
    test(`is not read from a log with ${name}`, () => {
      refuses(() => readSecureBoot(logOf(events)), 'event-type-rewritten');
    });
  }

  test('is not read from data that were not measured', () => {
    for (const [at, event] of PCR7.entries()) {
      const lying = PCR7.with(at, { ...event, measured: Buffer.from('something else') });
      refuses(() => readSecureBoot(logOf(lying)), 'event-data-rewritten');
    }
  });
});

describe('kernel command line', () => {
  test('is read from boot entries whose data were measured', () => {
    assert.deepEqual(readCommandLines(logOf([bootEntry('0001', 'ro quiet'), bootEntry('0002', 'single')])), [
      'ro quiet',
      'single',
    ]);
    const lying = { ...bootEntry('0001', 'ro'), measured: Buffer.from('rw') };
    assert.deepEqual(readCommandLines(logOf([lying])), []);
    assert.deepEqual(readCommandLines(logOf([{ ...bootEntry('0001', 'ro'), pcr: 5 }])), []);
  });

  test('is read where firmware hashes the variable without its name', () => {
    const entry = bootEntry('0001', 'ro');
    const start = entry.data.indexOf(Buffer.from('Boot0001', 'utf16le')) + 16;
    assert.deepEqual(readCommandLines(logOf([{ ...entry, measured: entry.data.subarray(start) }])), ['ro']);
  });

  test('is not read from options that are no text, or from no options', () => {
    const entry = bootEntry('0001', '\u0001\u0002binary');
    assert.deepEqual(readCommandLines(logOf([entry])), []);
    for (let size = 0; size < entry.data.length; size += 1) {
      readCommandLines(logOf([{ ...entry, data: entry.data.subarray(0, size) }]));
    }
  });
});

describe('baselines', () => {
  const pcrs = Array.from({ length: 8 }, (_, n) => `${n}`.repeat(64));
  const measured = { pcrs, firmware: '7.85.0.1', commandLines: ['root=/dev/vda ro lockdown=integrity'] };
  const baseline: Baseline = { model: 'm', pcrs: pcrs.map((pcr) => [pcr]), createdAt: 0, createdBy: 'admin' };
  const rule = { required: ['ro'], forbidden: ['init=/bin/sh'] };

  test('match in every PCR, or not at all', () => {
    assert.deepEqual(judgeBaseline(measured, [baseline]), { matches: true, findings: [] });
    for (let pcr = 0; pcr < 8; pcr += 1) {
      const changed = { ...measured, pcrs: pcrs.with(pcr, 'f'.repeat(64)) };
      assert.deepEqual(judgeBaseline(changed, [baseline]).findings, ['pcr-not-allowed']);
      const open = { ...baseline, pcrs: baseline.pcrs.with(pcr, []) };
      assert.equal(judgeBaseline(changed, [open]).matches, true);
      const short = { ...baseline, pcrs: baseline.pcrs.slice(0, pcr) };
      assert.equal(judgeBaseline(measured, [short]).matches, false, 'a list that is missing allows nothing');
    }
  });

  test('one of several is enough, but no mixture of two', () => {
    const other = { ...baseline, pcrs: pcrs.map((pcr) => [pcr.replaceAll(/./g, 'e')]) };
    assert.equal(judgeBaseline(measured, [other, baseline]).matches, true);
    const mixed = { ...measured, pcrs: pcrs.with(0, 'e'.repeat(64)) };
    assert.equal(judgeBaseline(mixed, [other, baseline]).matches, false);
  });

  test('ask for firmware and command line', () => {
    const ask = (more: Partial<Baseline>): readonly string[] =>
      judgeBaseline(measured, [{ ...baseline, ...more }]).findings;
    assert.deepEqual(ask({ minimumFirmware: '7.85' }), []);
    assert.deepEqual(ask({ minimumFirmware: '7.100' }), ['firmware-too-old']);
    assert.deepEqual(ask({ commandLine: rule }), []);
    assert.deepEqual(ask({ commandLine: { ...rule, required: ['quiet'] } }), ['command-line']);
    assert.deepEqual(ask({ commandLine: { ...rule, forbidden: ['ro'] } }), ['command-line']);
    // A part of a word is another word.
    assert.deepEqual(ask({ commandLine: { ...rule, required: ['lockdown'] } }), ['command-line']);
    assert.deepEqual(ask({ commandLine: rule, pcrs: baseline.pcrs.with(1, []) }), ['command-line-unknown']);
  });
});
