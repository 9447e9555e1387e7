// Files of a log: each is written whole or not at all, and is on the platter before it is named in anything signed.
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes files below `directory`, by their paths in it, and makes them and their names durable. */
export async function writeDurably(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const touched = new Set<string>();
  for (const [path, bytes] of files) {
    const target = join(directory, path);
    const parent = dirname(target);
    const made = await mkdir(parent, { recursive: true, mode: 0o700 });
    if (made !== undefined) for (const each of parentsUpTo(parent, dirname(made))) touched.add(each);
    const file = await open(`${target}.new`, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(`${target}.new`, target);
    touched.add(parent);
  }
  for (const each of touched) await syncDirectory(each);
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
