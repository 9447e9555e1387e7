// Faults of the machine: a full disk, a clock that is set, and an error in the gateway that nobody expected.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Scope } from '#test/contract/redis';
import { until } from '#test/story/part';
import type { Finding } from '../report.ts';
import { Fleet } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';

async function fleetOf(
  scope: Scope,
  options: Parameters<typeof Fleet.start>[1],
): Promise<[Fleet, FleetGateway]> {
  const fleet = await Fleet.start(scope, options);
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  return [fleet, gateway];
}

/** No room for records: nothing is allowed, it says so, and works again when there is room. Needs root, for a tmpfs. */
export async function diskFull(scope: Scope): Promise<Finding> {
  const disk = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs', disk]);
  scope.after(async () => {
    if (status === 0) execFileSync('umount', [disk]);
    rmdirSync(disk);
  });
  if (status !== 0) throw new Error('mounting a tmpfs needs root');
  const [fleet, gateway] = await fleetOf(scope, {
    prepare: (directory) => {
      mkdirSync(join(directory, 'state'), { recursive: true, mode: 0o700 });
      symlinkSync(disk, join(directory, 'state/outbox'));
    },
  });
  const { cookie } = await fleet.signIn();
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(bavail * bsize));
  await until('the disk is full', async () => (await gateway.app(cookie)).status === 503);
  const reached = fleet.reached.length;
  for (let again = 0; again < 50; again += 1) await gateway.app(cookie);
  const unrecorded = fleet.reached.length - reached;
  const { ready } = await gateway.ready();
  rmSync(join(disk, 'ballast'));
  const after = await gateway.app(cookie);
  return {
    required: 'no unrecorded allow: 503, alarm, recovers by itself',
    measured: `${unrecorded} unrecorded of 50; ready ${ready}; with room again ${after.status}`,
    held: unrecorded === 0 && !ready && after.status === 200,
  };
}

const FAKETIME = globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];

/** The clock is set forward and back by minutes and by a day: nothing that has expired is taken again. */
export async function clock(scope: Scope): Promise<Finding> {
  if (FAKETIME === undefined) throw new Error('faketime not found, run npm run test:deps');
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-clock-'));
  scope.after(async () => rmSync(directory, { recursive: true }));
  const file = join(directory, 'offset');
  const set = async (offset: string): Promise<void> => {
    writeFileSync(file, `${offset}\n`);
    await sleep(1_500);
  };
  writeFileSync(file, '+0\n');
  const [fleet, gateway] = await fleetOf(scope, {
    sessions: '  sessions: { idle: 1h, absolute: 2h }\n',
    env: {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  });
  const seen: string[] = [];
  const ask = async (what: string, cookie: string): Promise<number> => {
    const { status } = await gateway.app(cookie);
    seen.push(`${what} ${status}`);
    return status;
  };
  const { cookie } = await fleet.signIn();
  await set('+5m');
  const minutes = await ask('+5 min', cookie);
  await set('-5m');
  const back = await ask('-5 min', cookie);
  const { ready: readyBack } = await gateway.ready();
  await set('+3h');
  const expired = await ask('+3 h (expired)', cookie);
  await set('+0');
  const again = await ask('back to now', cookie);
  await set('-1d');
  const dayBack = await ask('-1 d', cookie);
  await set('+1d');
  const day = await ask('+1 d', cookie);
  // What expired under one clock is gone for good, whatever a gateway that starts later thinks the time is.
  await set('+0');
  await gateway.part.kill();
  await gateway.start();
  const restarted = await ask('restarted at the right time', cookie);
  await gateway.connect();
  const fresh = await fleet.signIn('ben');
  const works = await ask('a new sign-in', fresh.cookie);
  return {
    required: 'monotonic: nothing that expired is accepted, and it works on',
    measured: `${seen.join(', ')}; set back: ready ${readyBack}`,
    held:
      minutes === 200 &&
      back === 200 &&
      !readyBack &&
      [expired, again, dayBack, day, restarted].every((one) => one === 401) &&
      works === 200,
  };
}

/** Milliseconds until it is ready. */
async function startOf(gateway: FleetGateway): Promise<number> {
  const from = performance.now();
  await gateway.start();
  return performance.now() - from;
}

/** Thrown from nowhere: the process ends, and with it everything it allowed. */
export async function unexpected(scope: Scope): Promise<Finding> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-unexpected-'));
  scope.after(async () => rmSync(directory, { recursive: true }));
  const trap = join(directory, 'trap.mjs');
  writeFileSync(
    trap,
    "process.on('SIGUSR2', () => setImmediate(() => { throw new Error('on purpose'); }));\n",
  );
  const [fleet, gateway] = await fleetOf(scope, {
    env: { NODE_OPTIONS: `--import ${pathToFileURL(trap).href}` },
  });
  const { cookie } = await fleet.signIn();
  const stream = await gateway.stream(cookie);
  const from = performance.now();
  gateway.part.signal('SIGUSR2');
  const { code, signal } = await gateway.part.ended;
  const took = performance.now() - from;
  const closed = (await stream.ended) - from;
  const after = await gateway.app(cookie);
  const back = await startOf(gateway);
  const works = await until('it serves again', async () => {
    const { status } = await gateway.app(cookie);
    return status !== 0 && status !== 502 ? status : undefined;
  });
  // On a busy machine any start takes long: one after an orderly end says how long.
  gateway.part.signal('SIGTERM');
  await gateway.part.ended;
  const usual = await startOf(gateway);
  return {
    required: 'exits, can be started again at once, allows nothing meanwhile',
    measured: `ended with ${code ?? signal} after ${Math.round(took)} ms, streams closed after ${Math.round(closed)} ms, then answers ${after.status}; started again in ${Math.round(back)} ms, ${works}; after an orderly end in ${Math.round(usual)} ms`,
    held: code !== 0 && after.status === 0 && back <= Math.max(5_000, 2 * usual) && works === 200,
  };
}
