// `sallyport policy replay`: recorded requests through a new document.
import { type Change, type ReplayReport, replay } from '#policy/replay';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import {
  openPolicy,
  outboxOf,
  printJson,
  printLines,
  recordedDecisions,
  sinceOf,
  wrongUsage,
} from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy replay', argv, {
    state: { type: 'string' },
    since: { type: 'string', default: '30d' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { state, since: sinceText, json } = parsed.values;
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0 || state === undefined) {
    wrongUsage('replay', 'name one document, and --state DIR');
    return EXIT.usage;
  }
  const reading = openPolicy('replay', file);
  const outbox = outboxOf('replay', state);
  const since = sinceOf('replay', sinceText, Date.now());
  if (reading === undefined || outbox === undefined || since === undefined) return EXIT.usage;
  const report = await replay(recordedDecisions(outbox, since), reading.policy, { progress: showProgress });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  if (json) printJson(report);
  else printLines(reportText(report));
  return report.gains.length + report.losses.length === 0 ? EXIT.ok : EXIT.no;
}

/** On a terminal one line that moves; in a log one line each. */
function showProgress(requests: number): void {
  const text = `replayed ${requests.toLocaleString('en')} requests`;
  process.stderr.write(process.stderr.isTTY ? `\r${text}` : `${text}\n`);
}

function reportText({ requests, unreadable, unchanged, gains, losses, shadow }: ReplayReport): string[] {
  const lines = (what: string, changes: readonly Change[]): string[] =>
    changes.map(
      ({ app, before, after, requests: count, subjects, example }) =>
        `${what}: ${app}, ${count} requests of ${subjects} subjects, from ${before} to ${after}; see ${example}`,
    );
  return [
    ...lines('gains', gains),
    ...lines('loses', losses),
    ...shadow.map(
      ({ rule, matched, changed }) => `shadow rule ${rule}: matched ${matched}, would change ${changed}`,
    ),
    `${requests} requests, ${unchanged} decided as before${unreadable === 0 ? '' : `, ${unreadable} records unreadable`}`,
  ];
}
