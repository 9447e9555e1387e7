// Boots that have to be refused: logs that lie about them, and states that nobody approved.
import type { Appraisal } from '#gateway/attest/appraisal';
import { MAX_LOG } from '#gateway/attest/event-log';
import { type BadEvidence, changed, type Honest } from './bad-case.ts';
import { bootEvents, policyEvent, separator, TYPE, writeLog } from './boot-log.ts';
import { BOOT, type Changed, type Laboratory } from './laboratory.ts';
import { SoftwareTpm } from './software-tpm.ts';

const OTHER = writeLog(bootEvents({ kernel: 'another' }));

/** A log in which one event says something else than it did when it was measured. */
function rewritten(
  change: (event: ReturnType<typeof policyEvent>) => ReturnType<typeof policyEvent>,
): Changed {
  const events = bootEvents({ secureBoot: Buffer.of(0) });
  const at = events.findIndex(({ pcr }) => pcr === 7);
  const [honest = separator(7)] = events.slice(at);
  // Measured is what it was; the digest stays while type and data change.
  return { boot: writeLog(events.with(at, { ...change(honest), measured: honest.data })) };
}

const LOGS: readonly BadEvidence[] = [
  changed('log swapped', 'log-swapped', () => ({ after: (e) => ({ ...e, eventLog: OTHER.log }) })),
  changed('log that does not lead to the PCRs', 'log-mismatch', () => ({
    boot: { ...BOOT, log: OTHER.log },
  })),
  changed('event type rewritten', 'event-type-rewritten', () =>
    rewritten((event) => ({ ...event, type: TYPE.VARIABLE_AUTHORITY })),
  ),
  changed('event data rewritten', 'event-data-rewritten', () =>
    rewritten((event) => ({ ...event, data: policyEvent('SecureBoot', Buffer.of(1)).data })),
  ),
  changed('truncated log', 'log-truncated', () => ({ boot: { ...BOOT, log: BOOT.log.subarray(0, -1) } })),
  changed('log that is no log', 'log-malformed', () => ({ boot: { ...BOOT, log: Buffer.alloc(200) } })),
  changed('missing log', 'log-missing', () => ({ boot: { ...BOOT, log: Buffer.alloc(0) } })),
  changed('giant log', 'log-too-large', () => ({ boot: { ...BOOT, log: Buffer.alloc(MAX_LOG + 1) } })),
];

const STATES: readonly BadEvidence[] = [
  changed('PCRs never extended', 'pcrs-unextended', () => ({ boot: writeLog([]) })),
  changed('PCR not allowed', 'pcr-not-allowed', () => ({ boot: OTHER })),
  changed('secure boot off', 'secure-boot-off', () => ({
    boot: writeLog(bootEvents({ secureBoot: Buffer.of(0) })),
  })),
  changed('nothing measured of secure boot', 'secure-boot-unknown', () => ({
    boot: writeLog(bootEvents().filter(({ pcr }) => pcr !== 7)),
  })),
  changed('firmware in a debugging mode', 'firmware-debug', () => ({
    boot: writeLog([{ pcr: 7, type: TYPE.ACTION, data: Buffer.from('UEFI Debug Mode') }, ...bootEvents()]),
  })),
  {
    name: 'old firmware',
    code: 'firmware-too-old',
    attest: (honest) => withRule(honest, 'old firmware', { minimumFirmware: '7.86' }),
  },
  {
    name: 'kernel command line',
    code: 'command-line',
    attest: (honest) =>
      withRule(honest, 'command line', { commandLine: { required: [], forbidden: ['ro'] } }),
  },
  {
    name: 'kernel command line that was not quoted',
    code: 'command-line-unknown',
    attest: (honest) =>
      withRule(honest, 'unknown', {
        openPcrs: [1],
        commandLine: { required: [], forbidden: ['init=/bin/sh'] },
      }),
  },
  {
    name: 'no baseline',
    code: 'baseline-missing',
    attest: async ({ lab }) => {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm, { model: 'never seen' });
      return lab.attest(device, tpm);
    },
  },
];

/** A device of a model of its own, whose baseline asks for more than it has. */
async function withRule(
  { lab }: Honest,
  model: string,
  rule: Parameters<Laboratory['verifier']['learnBaseline']>[2],
): Promise<Appraisal> {
  const tpm = new SoftwareTpm();
  const { device } = await lab.enrol(tpm, { model });
  await lab.attest(device, tpm);
  const { id } = await lab.verifier.learnBaseline(device, 'admin', rule);
  await lab.verifier.approveBaseline(id, 'admin');
  return lab.attest(device, tpm);
}

export const BAD_BOOTS: readonly BadEvidence[] = [...LOGS, ...STATES];
