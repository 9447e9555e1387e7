// `sallyport why`: why a request was decided as it was, for the admin who has its reference id. Reads, never changes.
import { join } from 'node:path';
import { recordDirectories } from '#gateway/workers/share';
import { type Trace, traceEvent } from '#siem/trace';
import { uuid7Time } from '#siem/uuid7';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { traceJson, traceText } from '../trace-text.ts';
import { readOptions } from '../usage.ts';
import { whyAbsent } from '../why-absent.ts';

export const help: string = `Usage: sallyport why <id> (--config FILE | --state DIR) [--json]

Shows everything about one decision: who asked, from which device and network, for what, the verdict, the rules
nearest to deciding otherwise with what they ask and what the request had, and what would change the answer.

The id is the reference on a denied page, or event.id of any event. The decision is made again from its record with
the copy of the policy that made it. Also works while the gateway runs, and on a copy of its state directory.

Options:
  --config FILE  The gateway's configuration; names the state directory
  --state DIR    The state directory itself
  --json         Print {"event", "explanation", …} as one line of JSON

Exit codes: 0 found, 1 no record has this id, 2 wrong usage.

Example: sallyport why 019cb830-5000-7a00-8000-000000000001 --config gateway.yaml
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('why', argv, {
    config: { type: 'string' },
    state: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { values, positionals } = parsed;
  const id = positionals.length === 1 ? positionals[0]?.trim().toLowerCase() : undefined;
  if (id === undefined) return usage('which id? Give the reference of one denied page, or one event.id.');
  const time = uuid7Time(id);
  if (time === undefined) {
    return usage(`${JSON.stringify(id.slice(0, 60))} is no id of ours: 36 characters like ${EXAMPLE_ID}`);
  }
  const state =
    values.state ?? (values.config === undefined ? undefined : readGatewayConfig(values.config)?.state);
  if (state === undefined) {
    return values.config === undefined ? usage('give --config FILE or --state DIR.') : EXIT.usage;
  }
  const directories = recordDirectories(state);
  if (directories.length === 0) return usage(whyAbsent(join(state, 'outbox'), 'is this the state?'));
  let trace: Trace | undefined;
  for (const directory of directories) trace ??= await traceEvent(directory, id);
  if (trace === undefined) {
    process.stderr.write(
      `sallyport why: no record here has the id ${id}. It was made at ${new Date(time).toISOString()}: was that ` +
        'another gateway, or longer ago than this outbox reaches? The SIEM keeps it as event.id.\n',
    );
    return EXIT.no;
  }
  process.stdout.write(values.json ? `${JSON.stringify(traceJson(trace))}\n` : traceText(trace));
  return EXIT.ok;
}

const EXAMPLE_ID = '019cb830-5000-7a00-8000-000000000001';

function usage(message: string): number {
  process.stderr.write(`sallyport why: ${message}\nTry: sallyport why --help\n`);
  return EXIT.usage;
}
