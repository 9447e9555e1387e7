// One measurement of one target: requests and CPU are counted over the same window inside the load, by the app and by
// the kernel, so that neither opening connections nor the load generator's own counting is in them.
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf } from './cpu.ts';
import type { SpineInstallation, Target } from './installation.ts';
import { requestsOf } from './nginx.ts';
import { type Load, type Loaded, wrk } from './wrk.ts';

/** Seconds at the beginning and the end of a load that are left out. */
const LEAD_IN = 0.8;
const LEAD_OUT = 0.2;

/** What one kind of browser sends with every request. */
const BROWSER: Readonly<Record<string, string>> = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language': 'en-GB,en;q=0.5',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
};

export interface Measured extends Loaded {
  /** Requests a second inside the window. */
  readonly rps: number;
  /** CPU microseconds a request inside the window, by process. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

interface Count {
  readonly at: number;
  readonly requests: number;
  readonly cpu: Readonly<Record<string, number>>;
}

async function count({ appPort }: SpineInstallation, target: Target): Promise<Count> {
  const requests = await requestsOf(appPort);
  const cpu = Object.fromEntries(Object.entries(target.pids()).map(([name, pids]) => [name, cpuOf(pids)]));
  return { at: performance.now(), requests, cpu };
}

/** Loads a target; the same headers go to all of them. */
export async function measure(
  installation: SpineInstallation,
  target: Target,
  path: string,
  load: Omit<Load, 'url' | 'headers'>,
): Promise<Measured> {
  const { directory, sallyport } = installation;
  const headers = { ...BROWSER, Cookie: target.cookie ?? sallyport.cookie };
  const loading = wrk(directory, { ...load, headers, url: target.origin + path });
  const window = async (): Promise<[Count, Count]> => {
    await sleep(LEAD_IN * 1000);
    const before = await count(installation, target);
    await sleep((load.seconds - LEAD_IN - LEAD_OUT) * 1000);
    return [before, await count(installation, target)];
  };
  const [loaded, [before, after]] = await Promise.all([loading, window()]);
  // The app counts the question itself.
  const requests = after.requests - before.requests - 1;
  const cpuUs = Object.fromEntries(
    Object.entries(after.cpu).map(([name, used]) => [name, (used - (before.cpu[name] ?? 0)) / requests]),
  );
  return { ...loaded, rps: (requests * 1000) / (after.at - before.at), cpuUs };
}
