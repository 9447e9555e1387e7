// Follows a file by looking at it: a watch of the kernel would lose editors that replace the file.
import { unwatchFile, watchFile } from 'node:fs';

export interface Following {
  /** Milliseconds between two looks. */
  readonly every: number;
  /** The file is another one, is there again, or is gone. */
  readonly changed: () => unknown;
  /** Once, after the first interval: what came after the file was read and before it was followed is no change to the watch. */
  readonly missed: () => unknown;
}

/** Calls `changed` each time that the file changes, until what is returned is called. Keeps no process alive. */
export function followFile(file: string, { every, changed, missed }: Following): () => void {
  const listener = (): void => void changed();
  watchFile(file, { interval: every, persistent: false }, listener);
  const once = setTimeout(missed, every).unref();
  return () => {
    clearTimeout(once);
    unwatchFile(file, listener);
  };
}
