// `sallyport siem`: how shipping stands, a test event to one sink, events sent again, what Elasticsearch needs, and
// detections.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import { recordDirectories } from '#gateway/workers/share';
import type { SinkConfig } from '#siem/config';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { type Line, readLines, readOutbox } from '#siem/outbox/read';
import { readCursor } from '#siem/ship/cursor';
import { byHalves } from '#siem/ship/halves';
import { bytesAfter, lagSecondsAt } from '#siem/ship/shipping';
import {
  CredentialError,
  createSink,
  elasticsearchCredentials,
  readCredential,
  requireReadable,
} from '#siem/sinks/create';
import { authorizationOf } from '#siem/sinks/elasticsearch';
import { setupRequests } from '#siem/sinks/elasticsearch-setup';
import { HttpReceiver } from '#siem/sinks/http';
import { ISM_POLICY, ismPolicy, opensearchRequests } from '#siem/sinks/opensearch-setup';
import { setUp } from '#siem/sinks/setup';
import { type Sink, SinkError } from '#siem/sinks/sink';
import { uuid7Generator } from '#siem/uuid7';
import { EXIT } from '../exit.ts';
import { operatorName } from '../operator.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { runDetections } from '../siem-detections.ts';
import { HELP, SUBCOMMANDS } from '../siem-help.ts';
import { readOptions } from '../usage.ts';
import { version } from '../version.ts';
import { whyAbsent } from '../why-absent.ts';

export const help: string = HELP;
export const subcommands: Readonly<Record<string, string>> = SUBCOMMANDS;

interface Options {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly 'keep-days': string;
  readonly 'api-key-file'?: string | undefined;
  readonly print: boolean;
  readonly opensearch: boolean;
  readonly json: boolean;
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('siem', argv, {
    config: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    'keep-days': { type: 'string', default: '365' },
    'api-key-file': { type: 'string' },
    print: { type: 'boolean', default: false },
    opensearch: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    format: { type: 'string' },
    'privileged-app': { type: 'string', multiple: true },
  });
  if (parsed === undefined) return EXIT.usage;
  const { values, positionals } = parsed;
  const [what = '', name, ...more] = positionals;
  if (!Object.hasOwn(subcommands, what) || more.length > 0) {
    return usage(`what shall be done? One of: ${Object.keys(subcommands).join(', ')}.`);
  }
  if (what === 'detections') {
    const outcome = runDetections(values);
    return typeof outcome === 'string' ? usage(outcome) : outcome;
  }
  if (what === 'setup' && values.print) return printSetup(values);
  if (values.config === undefined) return usage('which configuration? Give --config FILE.');
  const config = readGatewayConfig(values.config);
  if (config === undefined) return EXIT.usage;
  if (what === 'status') return status(config, values.json);
  const sink = config.siem.sinks.find((one) => one.name === name);
  if (sink === undefined) {
    const names = config.siem.sinks.map((one) => one.name);
    return usage(
      `which sink? ${names.length === 0 ? 'The configuration has none.' : `There are: ${names.join(', ')}.`}`,
    );
  }
  try {
    if (what === 'test') return await testSink(config, sink, values.json);
    if (what === 'replay') return await replay(config, sink, values);
    return await setup(sink, values);
  } catch (error) {
    if (!(error instanceof SinkError || error instanceof CredentialError)) throw error;
    process.stderr.write(`sallyport siem: ${sink.name}: ${error.message}\n`);
    return EXIT.no;
  }
}

/** A sink further behind than this is worth a look. */
const BEHIND_SECONDS = 60;

function status(config: GatewayConfig, json: boolean): number {
  const directories = recordDirectories(config.state);
  if (directories.length === 0) return usage(neverRan(config));
  const pairs = directories.flatMap((state) => config.siem.sinks.map((sink) => ({ state, sink })));
  const rows = pairs.map(({ state, sink: { name, type } }) => {
    const directory = join(state, 'outbox');
    const { position, delivered, deadLetters, at } = readCursor(directory, name);
    const waitingBytes = bytesAfter(directory, position);
    const waitingSeconds = lagSecondsAt(directory, position, Date.now());
    return {
      name,
      type,
      ...(state === config.state ? {} : { worker: basename(state) }),
      delivered,
      deadLetters,
      waitingBytes,
      waitingSeconds,
      lastAcknowledged: instant(at),
    };
  });
  const bad = rows.filter((row) => row.waitingSeconds > BEHIND_SECONDS || row.deadLetters > 0);
  if (json) process.stdout.write(`${JSON.stringify({ sinks: rows })}\n`);
  else if (rows.length === 0)
    process.stdout.write('no sinks: events stay in the outbox until its quota is reached\n');
  else {
    for (const row of rows) {
      process.stdout.write(
        `${row.worker === undefined ? '' : `${row.worker}: `}${row.name} (${row.type}): ${row.delivered} delivered, ${row.deadLetters} dead letters, ` +
          `${row.waitingBytes} bytes waiting for ${row.waitingSeconds} s, last acknowledged ${row.lastAcknowledged ?? 'never'}\n`,
      );
    }
  }
  return bad.length === 0 ? EXIT.ok : EXIT.no;
}

function neverRan({ state }: GatewayConfig): string {
  return whyAbsent(join(state, 'outbox'), 'has this gateway ever run?');
}

function instant(at: number): string | undefined {
  return at === 0 ? undefined : new Date(at).toISOString();
}

async function testSink(config: GatewayConfig, wanted: SinkConfig, json: boolean): Promise<number> {
  const origin = { id: config.name, name: config.name, version: version(), hostname: hostname() };
  const mapper = new Mapper(origin, config.siem.namespace);
  const id = uuid7Generator(Date.now)();
  const by = { kind: 'operator', id: `${operatorName()}@${hostname()}` } as const;
  const document = mapper.document({ kind: 'siem-test', sink: wanted.name, by }, id, Date.now());
  const start = performance.now();
  await delivering(wanted, async (sink, signal) => {
    const [verdict] = await sink.deliver([{ line: Buffer.from(encodeLine(document)) }], signal);
    if (verdict?.kind !== 'delivered') throw new SinkError('refused', verdict?.why ?? 'no verdict');
  });
  const ms = Math.round(performance.now() - start);
  process.stdout.write(
    json
      ? `${JSON.stringify({ sink: wanted.name, id, ms })}\n`
      : `${wanted.name}: acknowledged after ${ms} ms. Find it by event.id ${id}\n`,
  );
  return EXIT.ok;
}

/** Uses a sink and closes it; whatever takes a minute without an answer has failed. */
async function delivering(
  wanted: SinkConfig,
  use: (sink: Sink, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const sink = createSink(separateFrom(wanted), Date.now);
  try {
    await use(sink, AbortSignal.timeout(60_000));
  } finally {
    await sink.close();
  }
}

/** Two processes must not rotate one file: what goes to a file by hand goes to one of its own. */
function separateFrom(wanted: SinkConfig): SinkConfig {
  return wanted.type === 'files'
    ? { ...wanted, path: `${wanted.path}.by-hand-${randomUUID().slice(0, 8)}` }
    : wanted;
}

async function replay(config: GatewayConfig, wanted: SinkConfig, options: Options): Promise<number> {
  const from = timeOf(options.from);
  const to = options.to === undefined ? Number.POSITIVE_INFINITY : timeOf(options.to);
  if (from === undefined || to === undefined) {
    return usage('--from and --to are instants with their offset, like 2026-03-04T00:00:00Z.');
  }
  const directories = recordDirectories(config.state);
  if (directories.length === 0) return usage(neverRan(config));
  let sent = 0;
  const refused: string[] = [];
  await delivering(wanted, async (sink) => {
    for await (const lines of linesSince(directories, from)) {
      const wantedLines = lines.filter(({ bytes }) => isWithin(bytes, from, to));
      if (wantedLines.length === 0) continue;
      const whys = await sendAgain(sink, wantedLines).catch((error: unknown) => {
        if (!(error instanceof SinkError)) throw error;
        const message = `stopped after ${sent} events: ${error.message}. Replaying again is harmless.`;
        throw new SinkError(error.code, message, { cause: error });
      });
      sent += wantedLines.length - whys.length;
      refused.push(...whys);
    }
  });
  if (refused.length > 0) {
    process.stderr.write(`sallyport siem: ${wanted.name}: refused ${refused.length} events: ${refused[0]}\n`);
  }
  process.stdout.write(
    options.json ? `${JSON.stringify({ sink: wanted.name, sent })}\n` : `${sent} events sent again\n`,
  );
  return refused.length === 0 ? EXIT.ok : EXIT.no;
}

/** Answers why the receiver refused some for good; the others it took. Throws SinkError if it takes none at the moment. */
async function sendAgain(sink: Sink, lines: readonly Line[]): Promise<readonly string[]> {
  try {
    const shipments = lines.map(({ bytes }) => ({ line: bytes }));
    const verdicts = await sink.deliver(shipments, AbortSignal.timeout(60_000));
    const busy = verdicts.find((verdict) => verdict.kind === 'retry');
    if (busy !== undefined) throw new SinkError('unavailable', busy.why);
    return verdicts.flatMap((verdict) => (verdict.kind === 'rejected' ? [verdict.why] : []));
  } catch (error) {
    if (!(error instanceof SinkError) || error.code !== 'batch-rejected') throw error;
    const alone = (): string => error.message;
    return await byHalves(lines, alone, (half) => sendAgain(sink, half));
  }
}

async function* linesSince(states: readonly string[], from: number): AsyncGenerator<readonly Line[]> {
  for (const state of states) {
    const directory = join(state, 'outbox');
    for await (const { position } of readOutbox(directory, { since: from })) {
      yield* readLines(directory, position);
      break;
    }
  }
}

function isWithin(line: Buffer, from: number, to: number): boolean {
  const time = Date.parse(/^\{"@timestamp":"([^"]+)"/.exec(line.toString('latin1', 0, 64))?.[1] ?? '');
  return time >= from && time <= to;
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text))
    return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

function keepDaysOf(options: Options): number | undefined {
  const days = Number(options['keep-days']);
  return Number.isInteger(days) && days >= 1 && days <= 36_500 ? days : undefined;
}

function printSetup(options: Options): number {
  const keepDays = keepDaysOf(options);
  if (keepDays === undefined) return usage('--keep-days is a whole number from 1 to 36500.');
  const requests = options.opensearch
    ? [...opensearchRequests(), { path: ISM_POLICY, body: ismPolicy({ keepDays }) }]
    : setupRequests({ keepDays });
  for (const { path, body } of requests) {
    process.stdout.write(`PUT ${path}\n${JSON.stringify(body, null, 2)}\n\n`);
  }
  return EXIT.ok;
}

async function setup(wanted: SinkConfig, options: Options): Promise<number> {
  if (wanted.type !== 'elasticsearch')
    return usage(`${wanted.name} is ${wanted.type}: only elasticsearch needs a setup.`);
  const keepDays = keepDaysOf(options);
  if (keepDays === undefined) return usage('--keep-days is a whole number from 1 to 36500.');
  const file = options['api-key-file'];
  const credentials =
    file === undefined ? elasticsearchCredentials(wanted) : { apiKey: readCredential(file) };
  requireReadable(wanted);
  const http = new HttpReceiver(wanted);
  try {
    await setUp(
      http,
      authorizationOf(credentials),
      { keepDays },
      {
        made: (path) => process.stdout.write(`made ${path}\n`),
        warn: (what) => process.stderr.write(`sallyport siem: ${wanted.name}: ${what}\n`),
      },
    );
  } finally {
    await http.close();
  }
  return EXIT.ok;
}

function usage(message: string): number {
  process.stderr.write(`sallyport siem: ${message}\nTry: sallyport siem --help\n`);
  return EXIT.usage;
}
