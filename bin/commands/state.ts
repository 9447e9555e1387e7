// `sallyport state`: backs the state up, restores it, and moves it from one gateway's file to Redis. With an embedded
// state the gateway must not be running: its file has one owner.
import { readFileSync } from 'node:fs';
import type { GatewayConfig } from '#gateway/config';
import { shareRoots } from '#gateway/keys';
import { StateError } from '#gateway/state/error';
import { openStore } from '#gateway/state/open';
import {
  census,
  cleared,
  copyingInto,
  exported,
  imported,
  recordsIn,
  requireWhole,
} from '#gateway/state/portable';
import { LooseModeError, readPrivate, writeWhole } from '#gateway/state/private-files';
import type { Store } from '#gateway/state/store';
import { createLog } from '#siem/log';
import { describeError } from '#siem/system-error';
import { EXIT } from '../exit.ts';
import { readGatewayConfig } from '../read-gateway-config.ts';
import { readOptions } from '../usage.ts';
import { version } from '../version.ts';

const BACKUP_HELP = `Usage: sallyport state backup --config FILE --out FILE

Writes all live records to a file of mode 0600. It holds what sessions and tokens are checked against, and with Redis
the installation's keys: keep it as you keep those. An embedded state is backed up while the gateway is stopped.

Exit codes: 0 written, 1 the state cannot be used, 2 wrong usage.

Example: sallyport state backup --config gateway.yaml --out state.backup
`;

const RESTORE_HELP = `Usage: sallyport state restore --config FILE --in FILE

Puts back every record of a backup that has not ended; a record that is there is replaced. A file that is no good
changes nothing. If it breaks off, run it again: until it has come to its end no gateway starts on that state. Sessions
that were revoked after the backup live again: revoke them once more.

Exit codes: 0 restored, 1 refused or the state cannot be used, 2 wrong usage.

Example: sallyport state restore --config gateway.yaml --in state.backup
`;

const MIGRATE_HELP = `Usage: sallyport state migrate --config FILE

Copies the embedded state in \`state.directory\` to the Redis that the configuration names, with the gateway's keys.
Stop the gateway, change \`state\` to \`kind: redis\`, migrate, start it again: people stay signed in, connectors
enrolled. What is in Redis already is kept: migrating into a state that has connectors or sessions is refused. If it
breaks off, run it again: until it has come to its end no gateway starts on that state.

Exit codes: 0 copied, 1 refused or a state cannot be used, 2 wrong usage.

Example: sallyport state migrate --config gateway.yaml
`;

export const help: string = `Usage: sallyport state backup|restore|migrate --config FILE [options]

Backs the state up, restores it, or moves it to Redis.

Subcommands:
  backup --out FILE   Write all live records to a file
  restore --in FILE   Put them back
  migrate             Copy an embedded state to the Redis of the configuration

Exit codes: 0 done, 1 refused or the state cannot be used, 2 wrong usage.

Example: sallyport state backup --config gateway.yaml --out state.backup
`;

export const subcommands: Readonly<Record<string, string>> = {
  backup: BACKUP_HELP,
  restore: RESTORE_HELP,
  migrate: MIGRATE_HELP,
};

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('state', argv, {
    config: { type: 'string' },
    out: { type: 'string' },
    in: { type: 'string' },
  });
  if (parsed === undefined) return EXIT.usage;
  const { config: file, out, in: from } = parsed.values;
  const [action = '', ...more] = parsed.positionals;
  const complete =
    file !== undefined &&
    more.length === 0 &&
    Object.hasOwn(subcommands, action) &&
    (out !== undefined) === (action === 'backup') &&
    (from !== undefined) === (action === 'restore');
  if (!complete) {
    process.stderr.write(
      'sallyport state: use `sallyport state backup|restore|migrate --config FILE`, with --out or --in.\n',
    );
    return EXIT.usage;
  }
  const config = readGatewayConfig(file);
  if (config === undefined) return EXIT.usage;
  try {
    if (action === 'backup') await backup(config, out ?? '');
    else if (action === 'restore') await restore(config, from ?? '');
    else await migrate(config);
    return EXIT.ok;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const known = error instanceof StateError || error instanceof LooseModeError || typeof code === 'string';
    if (!known) throw error;
    process.stderr.write(`sallyport state: ${describeError(error)}\n`);
    return EXIT.no;
  }
}

async function using<T>(state: GatewayConfig['store'], work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(state, Date.now);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function backup(config: GatewayConfig, out: string): Promise<void> {
  const lines = await using(config.store, async (store) => {
    await requireWhole(store);
    return exported(store, Date.now());
  });
  writeWhole(out, `${lines.join('\n')}\n`);
  process.stdout.write(`${recordsIn(lines)} records are in ${out}\n`);
}

async function restore(config: GatewayConfig, from: string): Promise<void> {
  const lines = readPrivate(from).split('\n');
  const count = await using(config.store, (store) => imported(store, lines, Date.now(), 'restore'));
  process.stdout.write(`${count} records were restored\n`);
}

async function migrate(config: GatewayConfig): Promise<void> {
  const { store: target } = config;
  if (target.kind === 'embedded') {
    const message = 'the configuration names an embedded state: change `state` to `kind: redis` first';
    throw new StateError('state-conflict', message);
  }
  // It would be made anew, and empty, if it were not there.
  readFileSync(`${target.directory}/state.sqlite`, { flag: 'r' });
  const source = { kind: 'embedded', directory: target.directory } as const;
  const lines = await using(source, (store) => exported(store, Date.now()));
  const count = await using(target, async (store) => {
    const { session = 0, connector = 0 } = await census(store);
    // What an earlier attempt left there may have ended since.
    if ((await copyingInto(store)) === 'migrate') await cleared(store);
    else if (session + connector > 0) {
      const message = `there are ${session} sessions and ${connector} connectors in Redis already: migrate into an empty one, or another prefix`;
      throw new StateError('state-conflict', message);
    }
    await shareRoots(
      config,
      store,
      createLog({ service: { name: 'sallyport', version: version(), node: config.name } }),
    );
    return imported(store, lines, Date.now(), 'migrate');
  });
  process.stdout.write(
    `${count} records and the keys are in Redis; ${target.directory}/state.sqlite is not used any more\n`,
  );
}
