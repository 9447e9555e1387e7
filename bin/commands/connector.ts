// `sallyport connector`: enrols if need be, then serves the apps of its configuration until it is told to stop.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { enrolMachine, machineEnrolled } from '#connectors/attestation';
import { type ConnectorConfig, connectorSchema, resolvePaths } from '#connectors/config';
import {
  type Connector,
  enrolConnector,
  enrolled,
  identityOf,
  ranOutAt,
  StartError,
  startConnector,
} from '#connectors/connector';
import { KeyStoreError } from '#connectors/device/key-store';
import { PortalError } from '#connectors/device/portal';
import { TpmError } from '#connectors/device/tpm/error';
import { StateError } from '#connectors/link/identity';
import { EnrolError, enrolAgain } from '#connectors/link/token';
import { EvidenceError } from '#connectors/wire/evidence';
import type { Log } from '#connectors/wire/log';
import { createLog } from '#siem/log';
import { describeSystemError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { readConfig } from '../read-config.ts';
import { onStop } from '../stop-signals.ts';
import { readOptions } from '../usage.ts';
import { version } from '../version.ts';

/** Milliseconds that open exchanges get to finish after a signal. */
const GRACE = 30_000;

export const help = `Usage: sallyport connector --config FILE [--token-file FILE] [--tpm-token-file FILE] [--check] [--json]

Runs a connector in the foreground: dials out to the gateway and serves the apps of its own allow-list.

Options:
  --config FILE          The connector's configuration (see docs/connector.md)
  --token-file FILE      An enrolment token, used once if there is no certificate yet, or if it ran out; - reads it from
                         standard input
  --tpm-token-file FILE  A token of \`sallyport device token --connector\`, used once if this machine's TPM is not
                         enrolled yet; for a configuration with \`attestation\`
  --check                Only check the configuration and the identity, then exit
  --json                 Log to stderr as ECS JSON instead of plain lines

Signals: SIGTERM and SIGINT let open requests finish for up to 30 s, then stop; a second one stops at once.

Exit codes: 0 stopped as told or the check passed, 1 could not enrol or start, 2 wrong usage or a bad configuration.

Example: sallyport connector --config connector.yaml --token-file enrol.token
`;

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('connector', argv, {
    config: { type: 'string' },
    'token-file': { type: 'string' },
    'tpm-token-file': { type: 'string' },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const {
    config: file,
    'token-file': tokenFile,
    'tpm-token-file': tpmTokenFile,
    check,
    json,
  } = parsed.values;
  if (file === undefined) {
    process.stderr.write('sallyport connector: which configuration? Give --config FILE.\n');
    return EXIT.usage;
  }
  const document = readConfig(file, connectorSchema);
  if (document === undefined) return EXIT.usage;
  const config = resolvePaths(document, dirname(resolve(file)));
  const log = json
    ? createLog({ service: { name: 'sallyport', version: version(), node: config.name } })
    : lines(config.name);
  try {
    if (check) return checkOnly(config);
    await certify(config, tokenFile, log);
    if (tpmTokenFile !== undefined && !machineEnrolled(config)) await enrolTpm(config, tpmTokenFile, log);
    const parts = { log, now: Date.now, random: Math.random, software: `sallyport/${version()}` };
    return await untilStopped(startConnector(config, parts));
  } catch (error) {
    if (!KNOWN.some((kind) => error instanceof kind)) throw error;
    const { code, message } = error as Error & { code: string };
    log.error({ code }, `not started: ${message}`);
    return EXIT.no;
  }
}

/** What says itself what to do. */
const KNOWN = [StartError, StateError, EnrolError, KeyStoreError, PortalError, TpmError, EvidenceError];

function checkOnly(config: ConnectorConfig): number {
  const certificate = enrolled(config) ? 'has an identity' : 'not enrolled yet';
  const machine = machineEnrolled(config) ? '; attests' : '; its TPM is not enrolled yet';
  const identity = certificate + (config.attestation === undefined ? '' : machine);
  const [apps, clusters] = [Object.keys(config.apps), Object.keys(config.clusters)];
  const asked = clusters.length === 0 ? '' : `; asks ${clusters.join(', ')} about tokens`;
  process.stdout.write(
    `configuration is good (${apps.length} apps: ${apps.join(', ')}${asked}; ${identity})\n`,
  );
  return EXIT.ok;
}

/** Enrols who has no certificate. One that ran out is told of and shown all the same: the clock may be what is wrong. */
async function certify(config: ConnectorConfig, tokenFile: string | undefined, log: Log): Promise<void> {
  const ended = ranOutAt(config, Date.now());
  if (!enrolled(config) || (ended !== undefined && tokenFile !== undefined))
    await enrolWith(config, tokenFile, log);
  else if (ended !== undefined) {
    const until = new Date(ended).toISOString();
    const message = `the certificate ran out at ${until}, and no gateway takes it: ${enrolAgain(config.name)}`;
    log.error({ code: 'certificate-expired', until }, message);
  }
}

async function enrolWith(config: ConnectorConfig, tokenFile: string | undefined, log: Log): Promise<void> {
  if (tokenFile === undefined) {
    throw new StartError(
      'not-enrolled',
      `${config.state} holds no identity yet. Make a token at the gateway with \`sallyport token create --connector ${config.name}\` and give it with --token-file FILE.`,
    );
  }
  const identity = await enrolConnector(config, readTokenFile(tokenFile), Date.now());
  const until = new Date(identity.notAfter).toISOString();
  log.info(
    { until },
    `enrolled at ${config.gateways.join(' or ')}; the certificate holds until ${until} and renews itself`,
  );
}

async function enrolTpm(config: ConnectorConfig, tokenFile: string, log: Log): Promise<void> {
  const { attestation } = config;
  const identity = identityOf(config);
  if (attestation === undefined || identity === undefined) {
    throw new StartError(
      'not-enrolled',
      '--tpm-token-file is for a configuration that says under `attestation` which TPM this machine has.',
    );
  }
  const approved = await enrolMachine(config, attestation, identity, readTokenFile(tokenFile));
  const next = approved ? '' : '; an admin has to approve it before its proofs count';
  log.info({}, `this machine’s TPM is enrolled${next}`);
}

function readTokenFile(tokenFile: string): string {
  try {
    return readFileSync(tokenFile === '-' ? 0 : tokenFile, 'utf8');
  } catch (error) {
    const why = describeSystemError(error, tokenFile) ?? tokenFile;
    throw new StartError('unreadable', `the token file cannot be read: ${why}`);
  }
}

/** Plain lines on stderr, for people. */
function lines(name: string): Log {
  const say = (word: string) => (_fields: object, message: string) => {
    process.stderr.write(`connector ${name}: ${word}${message}\n`);
  };
  return { info: say(''), warn: say(''), error: say('error: ') };
}

function untilStopped(connector: Connector): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  onStop(process, Date.now, (_signal, atOnce) => {
    if (atOnce) {
      // The system would end each connection in order: to an app, half an upload would be the whole.
      connector.cut();
      resolve(EXIT.ok);
    } else connector.close(GRACE).then(() => resolve(EXIT.ok), reject);
  });
  return promise;
}
