// A person's machine that is gone without a word, with an event stream, a WebSocket and a download open: all are closed
// within 30 seconds. Needs root and network namespaces, since a proxy's kernel would go on answering for the dead.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Finding } from './report.ts';

export const GATEWAY_ADDRESS = '10.77.0.1';
export const PERSON_ADDRESS = '10.77.0.2';
export const VANISH_NEEDS = ['nginx', 'unshare', 'ip'] as const;

const WITHIN = 30_000;

/** What the person is told. */
export interface Vanishing {
  readonly port: number;
  readonly ca: string;
  readonly cookies: Readonly<Record<string, string>>;
}

/** False, or why this machine cannot show it. */
export function namespacesMissing(): false | string {
  const made = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'try0', 'type', 'veth'], {
    stdio: 'ignore',
  });
  return made.status === 0 ? false : 'skipped: network namespaces need root';
}

export async function vanish(): Promise<Finding> {
  const program = join(import.meta.dirname, 'tunnel-vanish-process.ts');
  const child = spawn('unshare', ['--net', process.execPath, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  const { opened, closed } = JSON.parse(output) as { opened: number; closed: number[] };
  const longest = closed.length < opened ? Number.POSITIVE_INFINITY : Math.max(...closed);
  const times = closed.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(', ');
  return {
    required: `a person who vanished is closed within ${WITHIN / 1000} s: event stream, WebSocket, download`,
    measured: `${closed.length} of ${opened} closed, after ${times}`,
    held: longest <= WITHIN,
    figures: { vanished_closed_ms: longest },
  };
}
