// `sallyport gateway`: runs a gateway until it is told to stop.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { PolicyFileError } from '#gateway/access/policy-file';
import { EndorsementConfigError } from '#gateway/attest/endorsements';
import { KeptChangeError } from '#gateway/change/accepted';
import { SignersError } from '#gateway/change/allowed-signers';
import { ChangeRefusal } from '#gateway/change/reasons';
import type { GatewayConfig } from '#gateway/config';
import { type Gateway, startGateway } from '#gateway/gateway';
import { DriftError } from '#gateway/release/open';
import { StateError } from '#gateway/state/error';
import { LooseModeError } from '#gateway/state/private-files';
import { formatProblems } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { createLog } from '#siem/log';
import { EXIT } from '../exit.ts';
import { type GatewayDocument, readGatewayDocument } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';
import { version } from '../version.ts';

/** Milliseconds that open exchanges get to finish after a signal. */
const GRACE = 30_000;

export const help: string = `Usage: sallyport gateway --config FILE [--check] [--json]

Runs a gateway in the foreground: people's listener, connectors' listener, health and metrics on loopback.

Options:
  --config FILE  The gateway's configuration (see docs/gateway.md)
  --check        Only check the configuration and the policy, then exit
  --json         Print where it listens as one line of JSON

Signals: SIGHUP loads the policy anew; SIGTERM and SIGINT let open requests finish for up to 30 s, then stop.
Its own log goes to stderr as ECS JSON; decisions go to <state>/outbox.

Exit codes: 0 stopped as told or the check passed, 1 could not start, 2 wrong usage or a bad configuration.

Example: sallyport gateway --config gateway.yaml
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('gateway', argv, {
    config: { type: 'string' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, check, json } = parsed.values;
  if (file === undefined) {
    process.stderr.write('sallyport gateway: which configuration? Give --config FILE.\n');
    return EXIT.usage;
  }
  const document = readGatewayDocument(file);
  if (document === undefined) return EXIT.usage;
  return check ? checkOnly(document.config) : serve(document, json);
}

function checkOnly(config: GatewayConfig): number {
  try {
    const loaded = loadPolicy(readFileSync(config.policy, 'utf8'), config.policy);
    if (loaded.ok) {
      process.stdout.write(
        `configuration and policy are good (${config.apps.length} apps, policy ${loaded.policy.hash})\n`,
      );
      return EXIT.ok;
    }
    process.stderr.write(`${formatProblems(loaded.problems)}\n`);
  } catch (error) {
    process.stderr.write(`${config.policy}: ${(error as Error).message}\n`);
  }
  return EXIT.usage;
}

async function serve({ config, ...configuration }: GatewayDocument, json: boolean): Promise<number> {
  const log = createLog({ service: { name: 'sallyport', version: version(), node: config.name } });
  if (process.getuid?.() === 0)
    log.warn(
      {},
      'this gateway runs as root: whoever gets into it owns the machine. Run it as an ordinary user',
    );
  let gateway: Gateway;
  try {
    gateway = await startGateway(config, {
      version: version(),
      hostname: hostname(),
      log,
      now: Date.now,
      random: Math.random,
      configuration,
    });
  } catch (error) {
    const known =
      error instanceof PolicyFileError ||
      error instanceof StateError ||
      error instanceof LooseModeError ||
      error instanceof EndorsementConfigError ||
      error instanceof ChangeRefusal ||
      error instanceof KeptChangeError ||
      error instanceof DriftError ||
      error instanceof SignersError;
    const code = (error as NodeJS.ErrnoException).code;
    if (!known && code === undefined) throw error;
    process.stderr.write(`sallyport gateway: not started. ${(error as Error).message}\n`);
    return EXIT.no;
  }
  process.stdout.write(json ? `${JSON.stringify(readyLine(gateway))}\n` : readyText(config, gateway));
  return untilStopped(gateway);
}

function readyLine({ addresses }: Gateway): Record<string, unknown> {
  const { people, connectors, health } = addresses;
  return { ready: true, people: people.port, connectors: connectors.port, health: health.port };
}

function readyText(config: GatewayConfig, { addresses, developmentCa }: Gateway): string {
  const at = ({ address, port }: Gateway['addresses']['people']): string => `${address}:${port}`;
  const ca =
    developmentCa === undefined
      ? ''
      : `development CA   ${config.state}/development-ca/ca.pem (trust it only for trying out)\n`;
  return (
    `portal           ${config.portal}\npeople           ${at(addresses.people)}\n` +
    `connectors       ${at(addresses.connectors)}\nhealth, metrics  ${at(addresses.health)}\n${ca}`
  );
}

function untilStopped(gateway: Gateway): Promise<number> {
  return new Promise((resolve, reject) => {
    process.on('SIGHUP', () => void gateway.reloadPolicy());
    let stopping = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        // A second signal means: now.
        gateway.close(signal, stopping ? 0 : GRACE).then(() => resolve(EXIT.ok), reject);
        stopping = true;
      });
    }
  });
}
