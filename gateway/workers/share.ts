// What each worker gets of the whole: a configuration and directories of its own.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import { MOST_WORKERS, workerName } from './config.ts';

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
