// CPU time of processes as the kernel counts it: all threads, in user and kernel mode.
import { readFileSync } from 'node:fs';

/** Microseconds of one clock tick: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** A process and its direct children, such as the workers of nginx. */
export function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
}

/** Microseconds that these processes have used since they started. */
export function cpuOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // After the name in parentheses, which may hold anything: utime and stime are fields 14 and 15 of proc(5).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_US;
}
