// Words for what an operating system refuses: what it was, where, and what to do. They are for whoever runs this, and hold
// nothing of what is in a file.

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'not permitted to the user who runs this',
  EPERM: 'not permitted to the user who runs this',
  ENOENT: 'there is no such file or directory',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of this path is no directory',
  EEXIST: 'something else is there already',
  EROFS: 'the file system is read-only',
  ENOSPC: 'there is no space left on the device',
  EDQUOT: 'the quota of the user who runs this is used up',
  EMFILE: 'too many files are open; raise the limit (ulimit -n)',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
  EADDRINUSE: 'another program listens there; end it, or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address',
};

/** These are about the machine, whichever file it was. */
const ANYWHERE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EMFILE']);

/**
 * One line such as `/etc/x: there is no such file or directory`, or undefined if `error` is nothing that a person who runs this could
 * mend. `place` names what was opened, where the system does not say it itself.
 */
export function describeSystemError(error: unknown, place?: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, dest, syscall, address, port } = error as NodeJS.ErrnoException & {
    readonly dest?: string;
    readonly address?: string;
    readonly port?: number;
  };
  const words = WORDS[code ?? ''];
  if (words === undefined || syscall === undefined) return undefined;
  const listening = address === undefined || port === undefined ? undefined : `${address}:${port}`;
  // What is written whole is written beside its place first.
  const where = place ?? (dest ?? path)?.replace(/\.[0-9a-f]{12}\.new$/, '') ?? listening;
  // Ports below 1024 are the usual reason, and the words for files would not say it.
  const more =
    code === 'EACCES' && listening !== undefined && (port ?? 0) < 1024 ? ' (a port below 1024)' : '';
  if (where === undefined) return ANYWHERE.has(code ?? '') ? words : undefined;
  return `${where}: ${words}${more}`;
}

/** The same of any error: what nobody could mend is told in its own words, behind `place`. */
export function describeError(error: unknown, place?: string): string {
  const described = describeSystemError(error, place);
  if (described !== undefined) return described;
  const words = error instanceof Error ? error.message : String(error);
  return place === undefined ? words : `${place}: ${words}`;
}
