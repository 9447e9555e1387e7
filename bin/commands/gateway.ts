// `sallyport gateway`: runs a gateway until it is told to stop.

import { type ChildProcess, fork } from 'node:child_process';
import { hostname } from 'node:os';
import process from 'node:process';
import { PolicyFileError } from '#gateway/access/policy-file';
import { EndorsementConfigError } from '#gateway/attest/endorsements';
import { KeptChangeError } from '#gateway/change/accepted';
import { SignersError } from '#gateway/change/allowed-signers';
import type { ConfigurationFile } from '#gateway/change/changes';
import { ChangeRefusal } from '#gateway/change/reasons';
import type { GatewayConfig } from '#gateway/config';
import { fileProblems } from '#gateway/config-files';
import { type Gateway, type Surroundings, startGateway } from '#gateway/gateway';
import { readRegular } from '#gateway/regular-file';
import { DriftError } from '#gateway/release/open';
import { StateError } from '#gateway/state/error';
import { LooseModeError } from '#gateway/state/private-files';
import { MOST_WORKERS, workersProblem } from '#gateway/workers/config';
import { shipLeftovers } from '#gateway/workers/leftovers';
import { type Seat, sayReady, takeSeat, WORKER_VARIABLE } from '#gateway/workers/seat';
import { type Supervisor, supervise } from '#gateway/workers/supervisor';
import { WorkerError } from '#gateway/workers/worker-process';
import { formatProblems, MAX_DOCUMENT_BYTES } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { createLog } from '#siem/log';
import { describeError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { type GatewayDocument, readGatewayDocument } from '../read-gateway-config.ts';
import { onStop } from '../stop-signals.ts';
import { readOptions } from '../usage.ts';
import { version } from '../version.ts';

/** Milliseconds that open exchanges get to finish after a signal. */
const GRACE = 30_000;

export const help: string = `Usage: sallyport gateway --config FILE [--workers N] [--check] [--json]

Runs a gateway in the foreground: listeners for people, connectors and services, health and metrics on loopback.

Options:
  --config FILE  The gateway's configuration (see docs/gateway.md)
  --workers N    Processes that share the listeners, instead of the configuration's \`workers.count\`; more than one
                 need a state in Redis. One that dies is started again
  --check        Only check the configuration, the files it names, and the policy, then exit
  --json         Print {"ready", "people", "connectors", "health", "services"} (ports) as one line of JSON

Signals: SIGHUP loads the policy anew; SIGTERM and SIGINT let open requests finish for up to 30 s, then stop.
Its own log goes to stderr as ECS JSON; decisions go to <state>/outbox.

Exit codes: 0 stopped as told or the check passed, 1 could not start, 2 wrong usage or a bad configuration.

Example: sallyport gateway --config gateway.yaml
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('gateway', argv, {
    config: { type: 'string' },
    workers: { type: 'string' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  // Who reloads while it starts (a unit's ExecReload, a tool that rolls out policies) must not end it.
  process.on('SIGHUP', () => undefined);
  if (process.env[WORKER_VARIABLE] !== undefined) return work();
  const { config: file, workers, check, json } = parsed.values;
  if (file === undefined) return wrong('which configuration? Give --config FILE.');
  const document = readGatewayDocument(file);
  if (document === undefined) return EXIT.usage;
  const { config } = document;
  const count = workers === undefined ? config.workers.count : Number(/^[0-9]{1,3}$/.exec(workers)?.[0]);
  if (!(count >= 1 && count <= MOST_WORKERS)) return wrong(`--workers: expected 1 to ${MOST_WORKERS}.`);
  const problem = workersProblem(config.name, config.store.kind, count);
  if (problem !== undefined) return wrong(`--workers: ${problem}.`);
  if (check) return checkOnly(config);
  return count === 1 ? serve(document, json) : serveAll(document, count, json);
}

function wrong(what: string): number {
  process.stderr.write(`sallyport gateway: ${what}\n`);
  return EXIT.usage;
}

function checkOnly(config: GatewayConfig): number {
  const missing = fileProblems(config);
  if (missing.length > 0) return notGood(missing.join('\n'));
  let text: string;
  try {
    text = readRegular(config.policy, MAX_DOCUMENT_BYTES);
  } catch (error) {
    return notGood(describeError(error, config.policy));
  }
  const loaded = loadPolicy(text, config.policy);
  if (!loaded.ok) return notGood(formatProblems(loaded.problems));
  const apps = `${config.apps.length} app${config.apps.length === 1 ? '' : 's'}`;
  process.stdout.write(`configuration and policy are good (${apps}, policy ${loaded.policy.hash})\n`);
  return EXIT.ok;
}

function notGood(problems: string): number {
  process.stderr.write(`${problems}\n`);
  return EXIT.usage;
}

async function serve({ config, ...configuration }: GatewayDocument, json: boolean): Promise<number> {
  const gateway = await started(() => start(config, configuration));
  if (gateway === undefined) return EXIT.no;
  const leftovers = shipLeftovers(config, [config.state], around(config));
  // Before it is said to be ready: whoever reads that may stop it at once.
  const stopped = untilStopped(gateway);
  tell(config, gateway, json);
  const code = await stopped;
  await leftovers.stop();
  return code;
}

/** This process is one of several workers, and was told so by the one that started it. */
async function work(): Promise<number> {
  const { config, configuration, seat } = await takeSeat();
  const gateway = await started(() => start(config, configuration, seat));
  if (gateway === undefined) return EXIT.no;
  const stopped = untilStopped(gateway);
  sayReady({ health: gateway.addresses.health, developmentCa: gateway.developmentCa });
  return stopped;
}

async function serveAll(document: GatewayDocument, count: number, json: boolean): Promise<number> {
  const { config, ...configuration } = document;
  const options = { config, configuration, count, launch, ...around(config) };
  const supervisor = await started(() => supervise(options));
  if (supervisor === undefined) return EXIT.no;
  const stopped = new Promise<number>((resolve, reject) => {
    process.on('SIGHUP', () => supervisor.reload());
    onStop(process, Date.now, (signal) => void supervisor.stop(signal, GRACE).then(resolve, reject));
  });
  tell(config, supervisor, json);
  return stopped;
}

/** In a process group of its own: a terminal's Ctrl-C reaches a worker once, and from its supervisor. */
function launch(number: number): ChildProcess {
  return fork(process.argv[1] ?? '', ['gateway'], {
    env: { ...process.env, [WORKER_VARIABLE]: String(number) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    detached: true,
  });
}

function around(config: GatewayConfig): Pick<Surroundings, 'log' | 'now' | 'random'> {
  const log = createLog({ service: { name: 'sallyport', version: version(), node: config.name } });
  return { log, now: Date.now, random: Math.random };
}

function start(config: GatewayConfig, configuration: ConfigurationFile, seat?: Seat): Promise<Gateway> {
  const { log, now, random } = around(config);
  if (process.getuid?.() === 0)
    log.warn(
      {},
      'this gateway runs as root: whoever gets into it owns the machine. Run it as an ordinary user',
    );
  const own = { version: version(), hostname: hostname(), configuration, seat };
  return startGateway(config, { ...own, log, now, random });
}

/** Undefined after it was said why it could not be started. */
async function started<T>(starting: () => Promise<T>): Promise<T | undefined> {
  try {
    return await starting();
  } catch (error) {
    const known =
      error instanceof PolicyFileError ||
      error instanceof StateError ||
      error instanceof LooseModeError ||
      error instanceof WorkerError ||
      error instanceof EndorsementConfigError ||
      error instanceof ChangeRefusal ||
      error instanceof KeptChangeError ||
      error instanceof DriftError ||
      error instanceof SignersError;
    const code = (error as NodeJS.ErrnoException).code;
    if (!known && code === undefined) throw error;
    const why = describeError(error);
    process.stderr.write(`sallyport gateway: not started. ${why}\n`);
    return undefined;
  }
}

function tell(config: GatewayConfig, serving: Serving, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(readyLine(serving))}\n` : readyText(config, serving));
}

type Serving = Pick<Gateway & Supervisor, 'addresses' | 'developmentCa'>;

function readyLine({ addresses }: Serving): Record<string, unknown> {
  const { people, connectors, health, services } = addresses;
  const passing = services === undefined ? {} : { services: services.port };
  return { ready: true, people: people.port, connectors: connectors.port, health: health.port, ...passing };
}

function readyText(config: GatewayConfig, { addresses, developmentCa }: Serving): string {
  const at = ({ address, port }: Gateway['addresses']['people']): string => `${address}:${port}`;
  const ca =
    developmentCa === undefined
      ? ''
      : `development CA   ${config.state}/development-ca/ca.pem (trust it only for trying out)\n`;
  const services = addresses.services === undefined ? '' : `services         ${at(addresses.services)}\n`;
  return (
    `portal           ${config.portal}\npeople           ${at(addresses.people)}\n` +
    `connectors       ${at(addresses.connectors)}\n${services}health, metrics  ${at(addresses.health)}\n${ca}`
  );
}

function untilStopped(gateway: Gateway): Promise<number> {
  return new Promise((resolve, reject) => {
    process.on('SIGHUP', () => void gateway.reloadPolicy());
    onStop(process, Date.now, (signal, atOnce) => {
      gateway.close(signal, atOnce ? 0 : GRACE).then(() => resolve(EXIT.ok), reject);
    });
  });
}
