// Files of a log: each is written whole or not at all, and is on the platter before it is named in anything signed.
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes files below `directory`, by their paths in it, and makes them and their names durable. */
export async function writeDurably(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const touched = new Set<string>();
  for (const path of files.keys()) {
    const parent = dirname(join(directory, path));
    const made = await mkdir(parent, { recursive: true, mode: 0o700 });
    for (const each of made === undefined ? [parent] : parentsUpTo(parent, dirname(made))) touched.add(each);
  }
  // Together: the file system then commits them together.
  await allOf([...files].map(([path, bytes]) => writeWhole(join(directory, path), bytes)));
  await allOf([...touched].map(syncDirectory));
}

/** Waits for all even if one fails, so that nothing is still being written when it is tried again. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Directories from `path` up to and with `top`. */
function parentsUpTo(path: string, top: string): string[] {
  const found = [path];
  for (let each = path; each !== top; each = dirname(each)) found.push(dirname(each));
  return found;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
