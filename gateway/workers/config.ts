// The part of the gateway's configuration that says how many processes share the work on one machine, and the part of
// the whole that each of them gets.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { GatewayConfig } from '#gateway/config';
import type { StateConfig } from '#gateway/state/config';

export interface WorkersConfig {
  readonly count: number;
  /** Worker 1 is reached here by other workers and gateways, worker 2 at the next port, and so on. */
  readonly relay: number;
}

export const MOST_WORKERS = 64;

export const workersSchema: z.ZodType<WorkersConfig> = z
  .strictObject({
    count: z.int().min(1).max(MOST_WORKERS).default(1).describe('Processes that serve.'),
    relay: z
      .int()
      .min(1)
      .max(65_535 - MOST_WORKERS)
      .default(8450)
      .describe('Port of worker 1 for other workers and gateways; those after it are for the other workers.'),
  })
  .describe('Processes on this machine that share the listeners. More than one need a state in Redis.');

/** A DNS label has no more. */
const LONGEST_NAME = 63;

/** Why a gateway cannot be so many processes; undefined if it can. */
export function workersProblem(
  gateway: string,
  state: StateConfig['kind'],
  count: number,
): string | undefined {
  if (count === 1) return undefined;
  if (state === 'embedded') {
    return `${count} workers need a state that processes can share, and the embedded one has one owner: change \`state\` to \`kind: redis\` (docs/state.md), or run one worker`;
  }
  const name = workerName(gateway, count);
  return name.length > LONGEST_NAME
    ? `the name of a worker, ${name}, would be longer than ${LONGEST_NAME} characters: give the gateway a shorter name`
    : undefined;
}

function workerName(name: string, number: number): string {
  return `${name}-${number}`;
}

/** The name in the document: of a worker, that of its gateway. */
export function documentName({ name, worker }: Pick<GatewayConfig, 'name' | 'worker'>): string {
  return worker?.of ?? name;
}

/** The directory of one worker, or of none of them, in that of the gateway. */
export function workerDirectory(state: string, number: number): string {
  return join(state, `worker-${number}`);
}

/** The gateway's directory: of a worker, what it has in common with the others. */
export function directoryOfAll({ state, worker }: Pick<GatewayConfig, 'state' | 'worker'>): string {
  return worker === undefined ? state : dirname(state);
}

/** Directories with a record of their own below a gateway's: its own, and those of its workers, also of former ones. */
export function recordDirectories(state: string): readonly string[] {
  const workers = Array.from({ length: MOST_WORKERS }, (_, index) => workerDirectory(state, index + 1));
  return [state, ...workers].filter((directory) => existsSync(join(directory, 'outbox')));
}

/** What worker `number` is to do: a gateway of its own, with a name, a record and keys of its own. */
export function workerConfig(config: GatewayConfig, number: number): GatewayConfig {
  const directory = workerDirectory(config.state, number);
  const { siem, listen, store, admin } = config;
  return {
    ...config,
    name: workerName(config.name, number),
    worker: { of: config.name },
    state: directory,
    store: { ...store, directory },
    // Only the supervisor asks a worker anything.
    admin: admin && { ...admin, socket: undefined },
    listen: { ...listen, health: { host: '127.0.0.1', port: 0 } },
    // A file that is rotated has one writer.
    siem: {
      ...siem,
      sinks: siem.sinks.map((sink) =>
        sink.type === 'files' ? { ...sink, path: `${sink.path}.worker-${number}` } : sink,
      ),
    },
  };
}
