// `sallyport demo`: a whole installation on this machine, shown working: one allow, one deny, both recorded.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOutbox } from '#siem/outbox/read';
import { DemoError, type Installation, startInstallation } from '../demo/installation.ts';
import { type Reply, Visitor } from '../demo/visitor.ts';
import { EXIT } from '../exit.ts';
import { readOptions } from '../usage.ts';

const DEFAULT_PORT = 8443;
/** How to call this program from where the demo was started: a clone has it below bin/. */
const SALLYPORT = import.meta.filename.endsWith('.ts') ? 'npx sallyport' : 'sallyport';
type Document = Record<string, unknown>;

export const help: string = `Usage: sallyport demo [--port PORT] [--smoke] [--json]

Starts, on this machine only and in a temporary directory: a gateway, a real OpenID provider with two people,
a connector, and an app behind it. Prints where to click, how to use curl, and one allow and one deny with
their events. Ctrl-C stops everything and removes the directory.

Options:
  --port PORT  Where the gateway listens (default ${DEFAULT_PORT}; another is taken if it is in use)
  --smoke      Do all of that unattended, check it, and exit
  --json       With --smoke: end in one line of JSON with the figures

Exit codes: 0 stopped as told or all checks passed, 1 something did not work, 2 wrong usage.

Example: sallyport demo
`;

export async function run(argv: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const parsed = readOptions('demo', argv, {
    port: { type: 'string', default: String(DEFAULT_PORT) },
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { smoke, json } = parsed.values;
  const port = Number(parsed.values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_530) {
    process.stderr.write(`sallyport demo: --port ${JSON.stringify(parsed.values.port)} is not a port.\n`);
    return EXIT.usage;
  }
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-demo-'));
  // Also a second Ctrl-C: ended by it, this process would leave the others behind.
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  let installation: Installation | undefined;
  try {
    if (!smoke) process.stdout.write('Starting a gateway, an identity provider, a connector and an app …\n');
    installation = await startInstallation(
      directory,
      smoke && parsed.values.port === String(DEFAULT_PORT) ? 0 : port,
    );
    const readySeconds = (performance.now() - startedAt) / 1000;
    const shown = await showOff(installation);
    if (smoke) return report(shown, readySeconds, json);
    process.stdout.write(introduction(installation, shown));
    await interrupted;
    process.stdout.write('\nStopping …\n');
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    process.stderr.write(`sallyport demo: ${error.message}\n`);
    return EXIT.no;
  } finally {
    await installation?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** One allow and one deny, with the events they left. */
interface Shown {
  readonly allow: Reply;
  readonly deny: Reply;
  readonly allowEvent: Document | undefined;
  readonly denyEvent: Document | undefined;
  readonly events: readonly Document[];
}

async function showOff(installation: Installation): Promise<Shown> {
  const { originOf, directory, caFile } = installation;
  const ca = readFileSync(caFile, 'utf8');
  const [ada, ben] = [new Visitor(ca), new Visitor(ca)];
  try {
    await ada.signIn(`${originOf('notes')}/`, 'ada', 'key');
    await ben.signIn(`${originOf('notes')}/`, 'ben', 'password');
    for (const [name, visitor] of Object.entries({ ada, ben })) {
      writeFileSync(join(directory, `${name}.cookies`), visitor.cookieJar('notes.localhost'), {
        mode: 0o600,
      });
    }
    const allow = await ada.ask(`${originOf('notes')}/api/me`);
    const deny = await ben.ask(`${originOf('notes')}/api/notes`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: 'May I?',
    });
    const events: Document[] = [];
    for await (const { document } of readOutbox(join(directory, 'state/outbox'))) {
      events.push(document as unknown as Document);
    }
    const denyEvent = events.find(
      (event) => idOf(event) === (JSON.parse(deny.body) as Document)['reference'],
    );
    const allowEvent = events.findLast(
      (event) => verdictOf(event) === 'allow' && pathOf(event) === '/api/me',
    );
    return { allow, deny, allowEvent, denyEvent, events };
  } finally {
    await Promise.all([ada.close(), ben.close()]);
  }
}

function report(shown: Shown, readySeconds: number, json: boolean): number {
  const { allow, deny, allowEvent, denyEvent, events } = shown;
  const checks = {
    'Ada is allowed and the app knows her': allow.status === 200 && allow.body.includes('Ada Ferrara'),
    'Ben is denied and told why': deny.status === 403 && deny.body.includes('"criterion":"methods"'),
    'the allow is recorded': allowEvent !== undefined,
    'the deny is recorded under the reference Ben was shown': denyEvent !== undefined,
    'every event is an ECS document': events.length > 0 && events.every(isEcs),
  };
  for (const [what, held] of Object.entries(checks))
    process.stderr.write(`${held ? 'ok  ' : 'FAIL'} ${what}\n`);
  const held = Object.values(checks).every(Boolean);
  if (json) {
    const figures = {
      ready_s: Number(readySeconds.toFixed(2)),
      allow: allow.status,
      deny: deny.status,
      events_valid: events.filter(isEcs).length,
      events: events.length,
    };
    const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${platform()} ${arch()}`;
    process.stdout.write(
      `${JSON.stringify({ name: 'smoke', machine, versions: { node: process.version }, figures })}\n`,
    );
  }
  return held ? EXIT.ok : EXIT.no;
}

function introduction({ portal, directory, caFile, originOf, ports }: Installation, shown: Shown): string {
  const curl = `curl --cacert ${caFile}`;
  const notes = originOf('notes');
  const reference = String((JSON.parse(shown.deny.body) as Document)['reference']);
  return `
Event of the allow, as it goes to the SIEM
${JSON.stringify(shown.allowEvent)}

Event of the deny
${JSON.stringify(shown.denyEvent)}

Allowed  Ada, GET ${notes}/api/me -> ${shown.allow.status}
         ${shown.allow.body.trim()}
Denied   Ben, POST ${notes}/api/notes -> ${shown.deny.status}
         ${shown.deny.body.trim()}
Why      ${SALLYPORT} why ${reference} --state ${join(directory, 'state')}

Click    ${portal}/
         (a browser does not know the development CA: trust ${caFile}, or click past its warning)
People   Ada, engineering: reads and writes notes, sees /admin after a second factor
         Ben, support: reads notes only
curl     ${curl} -b ${join(directory, 'ada.cookies')} ${notes}/api/me
         ${curl} -b ${join(directory, 'ben.cookies')} -X POST -d hello ${notes}/api/notes
         ${curl} -b ${join(directory, 'ada.cookies')} -N ${notes}/events
Events   ${join(directory, 'state/outbox')}
Policy   ${join(directory, 'policy.yaml')} (edit it: the gateway follows)
Metrics  http://127.0.0.1:${ports.health}/metrics

Ctrl-C stops everything and removes ${directory}.
`;
}

function at(document: Document, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document);
}

const idOf = (event: Document): unknown => at(event, 'event', 'id');
const verdictOf = (event: Document): unknown => at(event, 'sallyport', 'decision', 'verdict');
const pathOf = (event: Document): unknown => at(event, 'url', 'path');

/** The fields no ECS document may lack; the whole schema is checked by the tests, where its package is. */
function isEcs(event: Document): boolean {
  return (
    typeof event['@timestamp'] === 'string' &&
    typeof at(event, 'ecs', 'version') === 'string' &&
    typeof idOf(event) === 'string' &&
    Array.isArray(at(event, 'event', 'category')) &&
    Array.isArray(at(event, 'event', 'type'))
  );
}
