// The peer that most gateways write their records to: how many lines of ours rsyslog takes a second.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { measure } from './measure.ts';

/** The same lines by TCP into rsyslog as it comes: written in batches, not synced, from a sender that only copies. */
export async function rsyslog(program: string, root: string, line: string, events: number): Promise<number> {
  const port = 20_000 + (process.pid % 20_000);
  const out = join(root, 'rsyslog.out');
  const config = join(root, 'rsyslog.conf');
  writeFileSync(
    config,
    `global(workDirectory="${root}" maxMessageSize="64k")
module(load="imtcp")
main_queue(queue.size="200000" queue.dequeueBatchSize="1024")
template(name="body" type="string" string="%msg%\\n")
input(type="imtcp" address="127.0.0.1" port="${port}" supportOctetCountedFraming="on")
action(type="omfile" file="${out}" template="body")
`,
  );
  const child = spawn(program, ['-n', '-f', config, '-i', join(root, 'rsyslog.pid')], { stdio: 'ignore' });
  try {
    const socket = await dial(port);
    const message = `<133>1 2026-03-04T09:12:13Z gw1 sallyport - access - ${line}`;
    const frame = Buffer.from(`${Buffer.byteLength(message)} ${message}`);
    const batch = Buffer.concat(Array.from({ length: 100 }, () => frame));
    const size = events * (Buffer.byteLength(line) + 1);
    const { perSecond } = await measure(events, async () => {
      for (let done = 0; done < events; done += 100) {
        if (!socket.write(batch)) await once(socket, 'drain');
      }
      for (let waited = 0; waited < 60_000 && sizeOf(out) < size; waited += 2) await sleep(2);
    });
    socket.destroy();
    if (sizeOf(out) < size) throw new Error(`rsyslog wrote ${sizeOf(out)} of ${size} bytes`);
    return perSecond;
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

async function dial(port: number): Promise<ReturnType<typeof connect>> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempt > 100) throw error;
      await sleep(50);
    }
  }
}
