// Why a command does not see what a gateway keeps: because it is not there, or because it is not for this user to see.
import { statSync } from 'node:fs';
import { describeSystemError } from '#siem/system-error';

/** A sentence that names `path`; `advice` is what to ask when it is not there. */
export function whyAbsent(path: string, advice: string): string {
  try {
    statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = describeSystemError(error);
    if (code === 'EACCES') return `${reason}; run it as the user that the gateway runs as`;
    if (code !== 'ENOENT' && reason !== undefined) return `${reason}; ${advice}`;
  }
  return `${path} is not there: ${advice}`;
}
