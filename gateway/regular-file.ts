// Reads files that others may replace while the gateway runs. A pipe would keep the whole gateway waiting for its writer, and
// a device would fill its memory: only regular files are read, and no more of them than their reader takes.
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** What lies there is a pipe, a device, a directory. */
class IrregularFileError extends Error {
  readonly code = 'irregular-file';
  constructor() {
    super('it is no regular file');
  }
}

/**
 * The text of `file`; of one that has more than `limit` bytes one byte more, by which its reader knows. Throws
 * IrregularFileError and what the system says.
 */
export function readRegular(file: string, limit: number): string {
  // Of a pipe without a writer, opening would wait already.
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(handle);
    if (!found.isFile()) throw new IrregularFileError();
    if (found.size <= limit) return readFileSync(handle, 'utf8');
    const bytes = Buffer.alloc(limit + 1);
    return bytes.toString('utf8', 0, readSync(handle, bytes));
  } finally {
    closeSync(handle);
  }
}
