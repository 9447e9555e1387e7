// `sallyport drill`: rehearses a fault on a running gateway and reports what was required and what was seen.
import type { DrillReport } from '#gateway/console/drill';
import { DRILLS, type DrillFault } from '#gateway/console/rehearsal';
import { AdminError, callAdmin } from '../admin-client.ts';
import { EXIT } from '../exit.ts';
import { operatorName } from '../operator.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';

export const help: string = `Usage: sallyport drill FAULT --config FILE [--seconds 15] [--connector NAME] [--alone] [--json]

Rehearses a fault on the running gateway, with all its workers: it begins at once, ends by itself, and nothing that is
kept is touched. The gateway must be well to begin with. The events \`drill-started\`, which is in the log of changes
before anything happens, and \`drill-ended\` say who did it and what came of it.

Faults:
  state        The state does not answer: nobody signs in, enrols or is revoked at this gateway (503); who is in the
               middle of something works on while the lease lasts, 25 s at most, and is then refused
  idp          Identity providers cannot be reached: who signs in is told so (503), who is signed in works on
  siem         No sink takes events: they wait in the outbox, and are delivered afterwards
  connector    One connector is drained and kept away: what it carries finishes, others take over
  clock        The machine's clock is set back by five minutes: the gateway's own time goes on, and it says so
  disk         Nothing can be recorded: all requests are answered with 503
  policy       A policy document is offered that is none: it is refused, and the one in force stays
  certificate  The certificate for people nears its end: the warnings are sent, and its files are tried

Options:
  --config FILE     The gateway's configuration
  --seconds N       How long it lasts, 1 to 60, for \`state\` from 6 (default 15)
  --connector NAME  For \`connector\`: which one
  --alone           For \`connector\`: also if nobody else serves its apps, whose requests then fail (502)
  --json            Print the report as JSON

Exit codes: 0 all that is required was seen; 1 something was not, or this is no time for a drill; 2 wrong usage.

Example: sallyport drill state --config gateway.yaml --seconds 30
`;

/** The state counts as silent after so many seconds. */
const LEAST: Readonly<Partial<Record<DrillFault, number>>> = { state: 6 };
const MOST = 60;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('drill', argv, {
    config: { type: 'string' },
    seconds: { type: 'string', default: '15' },
    connector: { type: 'string' },
    alone: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, seconds: text, connector, alone, json } = parsed.values;
  const [name, ...more] = parsed.positionals;
  const fault = DRILLS.find((one) => one === name);
  if (file === undefined || fault === undefined || more.length > 0) {
    return wrong(`use \`sallyport drill FAULT --config FILE\`, where FAULT is one of ${DRILLS.join(', ')}.`);
  }
  const least = LEAST[fault] ?? 1;
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= least && seconds <= MOST)) return wrong(`--seconds: expected ${least} to ${MOST}.`);
  if ((connector !== undefined) !== (fault === 'connector') || (alone && fault !== 'connector')) {
    return wrong('--connector NAME belongs to `sallyport drill connector`, and --alone too.');
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    const wish = { fault, seconds, connector, alone, by: operatorName() };
    const { status, body } = await callAdmin(config, 'POST', '/v1/drills', wish);
    if (status !== 200) throw new AdminError(String(body['message']));
    const report = body as unknown as DrillReport;
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : asText(report));
    return report.held ? EXIT.ok : EXIT.no;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    process.stderr.write(`sallyport drill: ${error.message}\n`);
    return EXIT.no;
  }
}

function asText({ fault, seconds, allowed, denied, failed, ailments, findings }: DrillReport): string {
  const said = ailments.length === 0 ? 'nothing' : ailments.join('; ');
  const lines = findings.map(
    ({ required, seen, held }) => `${held ? 'held  ' : 'FAILED'} ${required}: ${seen}`,
  );
  return [
    `${fault}, for ${seconds} s: ${allowed} allowed, ${denied} denied, ${failed} could not be decided`,
    `the gateway said: ${said}`,
    ...lines,
    '',
  ].join('\n');
}

function wrong(what: string): number {
  process.stderr.write(`sallyport drill: ${what}\n`);
  return EXIT.usage;
}
