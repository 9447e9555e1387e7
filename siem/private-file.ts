// Whether what is at a path is private to whoever runs this: the rule for every file and directory that holds a secret.
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

const STICKY = 0o1000;

/**
 * Why somebody else could read or change what is at `path`, and what to do about it; undefined if nobody can but who runs
 * this. A link is as private as what it leads to. Throws what the file system says of a path that is not there.
 */
export function looseness(path: string): string | undefined {
  const real = realpathSync(path);
  const stat = statSync(real);
  if ((stat.mode & 0o077) !== 0) {
    const want = stat.isDirectory() ? '700' : '600';
    return `${path} has mode ${modeOf(stat)}: others could read it. Run: chmod ${want} ${path}`;
  }
  // Whoever owns a file can open it to everybody, and to themselves at any time.
  const foreign = [lstatSync(path), stat].find(({ uid }) => !isOurs(uid));
  if (foreign !== undefined) {
    return `${path} belongs to another user (${foreign.uid}): run this as that user, or chown it to the one who runs this`;
  }
  for (const directory of new Set([dirname(path), dirname(real)])) {
    const around = statSync(directory);
    if (!othersMayWrite(around)) continue;
    return `${directory} has mode ${modeOf(around)}: others could put another file in the place of ${path}. Run: chmod go-w ${directory}`;
  }
  return undefined;
}

function modeOf({ mode }: Stats): string {
  return (mode & 0o777).toString(8);
}

/** Root reads everything anyway. Where there are no such numbers, they say nothing. */
function isOurs(uid: number): boolean {
  const own = process.geteuid?.();
  return own === undefined || uid === own || uid === 0;
}

/** Who may write to a directory without the sticky bit replaces what is in it. Our own group is who runs us, as a rule. */
function othersMayWrite({ mode, gid }: Stats): boolean {
  if ((mode & STICKY) !== 0) return false;
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== process.getegid?.());
}
