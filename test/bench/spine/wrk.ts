// Load from wrk, in a process of its own: the same requests for every target, answered by figures.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../requires.ts';

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Mean milliseconds a connection waits before each request; 0 asks as fast as it is answered. */
  readonly thinkMs?: number;
  /** Bytes of a POST's body; without it requests are GETs. */
  readonly bodyBytes?: number;
  /** A new connection for each request. */
  readonly fresh?: boolean;
}

/** What wrk counted, latencies corrected for coordinated omission as wrk does. */
export interface Loaded {
  readonly requests: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Summary {
  readonly requests: number;
  readonly us: number;
  readonly bytes: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
}

function scriptFor({ headers: given, thinkMs = 0, bodyBytes, fresh }: Load): string {
  const headers = { ...given, ...(fresh && { Connection: 'close' }) };
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers["${name}"] = ${JSON.stringify(value)}`,
  );
  if (bodyBytes !== undefined) {
    lines.push('wrk.method = "POST"', `wrk.body = string.rep("x", ${bodyBytes})`);
  }
  if (thinkMs > 0) {
    // Spread evenly about the mean, each thread with its own numbers: no volleys.
    lines.push(
      'local threads = 0',
      'function setup(thread) threads = threads + 1; thread:set("seed", threads) end',
      'function init() math.randomseed(seed) end',
      `function delay() return math.floor(math.random() * ${2 * thinkMs} + 0.5) end`,
    );
  }
  lines.push(
    'function done(summary, latency)',
    '  local e = summary.errors',
    '  io.write(string.format(\'\\nRESULT {"requests":%d,"us":%d,"bytes":%d,"errors":%d,"p50":%d,"p99":%d}\\n\',',
    '    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,',
    '    latency:percentile(50), latency:percentile(99)))',
    'end',
  );
  return `${lines.join('\n')}\n`;
}

/** Runs one load to its end. Throws when any request failed: a fast refusal is no throughput. */
export async function wrk(directory: string, load: Load): Promise<Loaded> {
  const script = join(directory, 'load.lua');
  // The cookie is in a file, not on the command line, where everybody on the machine could read it.
  writeFileSync(script, scriptFor(load), { mode: 0o600 });
  const threads = Math.min(2, load.connections);
  const args = [`-t${threads}`, `-c${load.connections}`, `-d${load.seconds}s`, '-s', script, load.url];
  const child = spawn(findProgram('wrk') ?? 'wrk', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  await new Promise((resolve) => child.once('close', resolve));
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk ${load.url} gave no result:\n${output}`);
  const { requests, us, bytes, errors, p50, p99 }: Summary = JSON.parse(line);
  if (errors > 0 || requests === 0)
    throw new Error(`${errors} of ${requests} requests to ${load.url} failed:\n${output}`);
  return { requests, seconds: us / 1e6, bytes, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
}
