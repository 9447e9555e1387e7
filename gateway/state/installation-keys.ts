// Keys that all gateways of an installation use: made by its first gateway, given to the others sealed, through the
// store. Each keeps them in its own state directory, where the rooms that use them look for them.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StateError } from './error.ts';
import { writeWhole } from './private-files.ts';
import type { SharedKey, Store } from './store.ts';

/** Files of one key, below the state directory. The last one says that the key is there whole. */
export interface KeyFiles {
  readonly name: string;
  readonly files: readonly string[];
  /** Makes the key in the state directory if it is not there. */
  make(): Promise<unknown>;
}

/**
 * Takes over the installation's key, or gives it this gateway's. Throws StateError when both have one and they differ:
 * two installations cannot become one without the connectors of one of them enrolling again.
 */
export async function shareKey(store: Store, directory: string, key: KeyFiles): Promise<void> {
  const paths = key.files.map((file) => join(directory, file));
  const kept = await store.get('sharedKey', key.name);
  if (kept === undefined) {
    await key.make();
    const files = Object.fromEntries(
      key.files.map((file, i) => [file, readFileSync(paths[i] ?? '', 'utf8')]),
    );
    const given = await store.update('sharedKey', key.name, (current) =>
      current === undefined ? { value: { files } } : undefined,
    );
    // Another gateway was first.
    if (!given) await shareKey(store, directory, key);
    return;
  }
  if (paths.every((path) => existsSync(path))) {
    if (key.files.every((file, i) => readFileSync(paths[i] ?? '', 'utf8') === kept.files[file])) return;
    const message = `${join(directory, key.name)} is the key of another installation than the one in Redis. To join that one, move ${key.files.join(' and ')} away from ${directory}; connectors that enrolled here must then enrol again.`;
    throw new StateError('state-conflict', message);
  }
  adopt(paths, key, kept);
}

function adopt(paths: readonly string[], key: KeyFiles, { files }: SharedKey): void {
  for (const [index, file] of key.files.entries()) {
    const content = files[file];
    if (content === undefined) {
      throw new StateError('state-conflict', `the installation's key ${key.name} lacks ${file}`);
    }
    const path = paths[index] ?? '';
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeWhole(path, content);
  }
}
