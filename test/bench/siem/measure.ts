// How many events a second, and how much CPU of this process each takes.
import process from 'node:process';

export interface Measured {
  readonly perSecond: number;
  readonly cpuUs: number;
}

export async function measure(events: number, work: () => Promise<void>): Promise<Measured> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: events / seconds, cpuUs: (user + system) / events };
}
