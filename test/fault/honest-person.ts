// Somebody honest who asks while a gateway is under attack, and what the gateway takes of the machine meanwhile.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { type Scope, StoryInstallation } from '../story/installation.ts';

/** Milliseconds within which an honest request must be answered. */
export const PATIENCE = 5_000;

/** Does `work` in an installation whose gateway's document has `further`, and takes it down. */
export async function within(
  further: string | undefined,
  work: (installation: StoryInstallation) => Promise<void>,
): Promise<void> {
  const steps: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (step) => void steps.push(step) };
  try {
    await work(await StoryInstallation.start(scope, further === undefined ? {} : { further }));
  } finally {
    for (const step of steps.reverse()) await step();
  }
}

/** One request on a connection of its own; true if the app's answer came in time. */
export function honest({ ports, ca }: StoryInstallation, cookie: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port: ports.people, ca, servername: 'wiki.localhost' });
  const timer = setTimeout(() => socket.destroy(), PATIENCE);
  let text = '';
  socket.once('secureConnect', () =>
    socket.write(
      `GET / HTTP/1.1\r\nHost: wiki.localhost:${ports.people}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    ),
  );
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    clearTimeout(timer);
    resolve(text.startsWith('HTTP/1.1 200 '));
  });
  return promise;
}

/** What a gateway holds in memory, MiB. */
export function residentMb(pid: number): number {
  // The launcher may have started the runtime it found as a child.
  const pids = [pid, ...childrenOf(pid)];
  return Math.max(
    ...pids.map((one) =>
      Math.round(Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${one}/status`))?.[1] ?? 0) / 1024),
    ),
  );
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .map(Number)
    .filter((one) => one > 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
