// A client that stops reading while a gigabyte waits for it, with real processes: neither gateway nor connector may hold
// more than a mebibyte of it beyond what the kernel does, and others must not notice.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cleanup, startApp, startConnector, startGateway } from '#test/story/tunnel/processes';
import type { Finding } from './report.ts';

const MIB = 1024 * 1024;
const GIGABYTE = 1024 * MIB;
/** Slow readers at once: what one of them costs stands out from the noise of a heap only in numbers. */
const READERS = 48;
const ALLOWED_PER_STREAM = MIB;
/** Requests of the others, in each of several rounds with and without slow readers. */
const ROUND = 400;
const ROUNDS = 8;
const P99_CHANGE = 0.2;
/** What two rounds differ by on any machine, in milliseconds. */
const NOISE_MS = 1;

export async function slowReaders(scope: Cleanup): Promise<Finding> {
  let written = 0;
  const chunk = Buffer.alloc(256 * 1024);
  const app = await startApp(scope, (request, response) => {
    if (request.url !== '/bulk') return void response.end('quick');
    let left = GIGABYTE;
    const more = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= chunk.length;
        written += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  const gateway = await startGateway(scope);
  const up = gateway.lines.next('connected', 'one');
  const token = await gateway.token('one');
  const connector = startConnector(scope, { name: 'one', gatewayPort: gateway.connectors, app, token });
  await up;
  const pids = [gateway.child.pid ?? 0, ...descendants(connector.child.pid ?? 0)];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  scope.after(() => agent.destroy());
  const others = (): Promise<number> => p99(gateway.people, agent);
  await others();
  await others();

  const rss = pids.map(residentBytes);
  let perStream = 0;
  const withReaders: number[] = [];
  const without: number[] = [];
  // In turns, so that whatever else the machine does weighs on both alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    const open = await Promise.all(Array.from({ length: READERS }, () => stalled(gateway.people)));
    for (let last = -1; last !== written; ) {
      last = written;
      await sleep(300);
    }
    const grown = pids.map((pid, index) => (residentBytes(pid) - (rss[index] ?? 0)) / READERS);
    // Later rounds grow into what the first has freed.
    if (round === 0) perStream = Math.max(...grown);
    withReaders.push(await others());
    for (const response of open) response.destroy();
    await sleep(500);
    without.push(await others());
  }
  // The best of the rounds: slow readers would weigh on each of them, other work on the machine only on some.
  const [during, after] = [Math.min(...withReaders), Math.min(...without)];
  const change = (during - after) / after;
  const quiet = during - after <= Math.max(NOISE_MS, P99_CHANGE * after);
  return {
    required: 'at most 1 MiB buffered per stream in each process, p99 of others within 20 %',
    measured: `${(perStream / MIB).toFixed(2)} MiB resident per stream at most, p99 ${during.toFixed(2)} ms with and ${after.toFixed(2)} ms without ${READERS} readers that stopped`,
    held: perStream <= ALLOWED_PER_STREAM && quiet,
    figures: {
      slow_reader_kib_per_stream: Math.round(perStream / 1024),
      slow_reader_p99_change_percent: Math.round(change * 100),
    },
  };
}

/** An answer of a gigabyte of which nothing is read. */
async function stalled(port: number): Promise<IncomingMessage> {
  const asked = httpRequest({ host: '127.0.0.1', port, path: '/bulk', agent: false });
  asked.on('error', () => {});
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  response.pause();
  return response;
}

async function p99(port: number, agent: Agent): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ROUND; i += 1) {
    const at = performance.now();
    const asked = httpRequest({ host: '127.0.0.1', port, path: '/', agent });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    times.push(performance.now() - at);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kib) * 1024;
}

/** The launcher and what it launched. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return [
    pid,
    ...(children === '' ? [] : children.split(' ').flatMap((child) => descendants(Number(child)))),
  ];
}
