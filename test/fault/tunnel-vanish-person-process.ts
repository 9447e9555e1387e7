// The person who will vanish: opens connections of every kind from a namespace of their own, then loses their address.
// Is told where to by one line of JSON on stdin, and to vanish by the next.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { GATEWAY_ADDRESS, PERSON_ADDRESS, type Vanishing } from './tunnel-vanish.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
process.stdin.once('end', () => process.exit(0));

say('here');
const { link, port, ca, cookies } = JSON.parse((await lines.next()).value ?? '') as Vanishing & {
  link: string;
};
ip('addr', 'add', `${PERSON_ADDRESS}/24`, 'dev', link);
ip('link', 'set', link, 'up');
say(/link\/ether (\S+)/.exec(ip('link', 'show', link))?.[1] ?? '');

const tls = (app: string): object => ({
  ...{ host: GATEWAY_ADDRESS, port, ca, servername: `${app}.localhost`, agent: false },
  headers: {
    host: `${app}.localhost:${port}`,
    cookie: cookies[app],
    origin: `https://${app}.localhost:${port}`,
  },
});
async function open(app: string, path: string): Promise<IncomingMessage> {
  const asked = request({ ...tls(app), path });
  asked.on('error', () => {});
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  return response;
}

// An event stream that goes on talking, an idle WebSocket, and a download that is not read.
(await open('drop', '/events')).resume();
const ws = new WebSocket(`wss://${GATEWAY_ADDRESS}:${port}/echo`, tls('drop'));
ws.on('error', () => {});
await once(ws, 'open');
const download = await open('wiki', '/large.bin');
download.pause();
await sleep(1_000);
say('3');
await lines.next();
ip('addr', 'flush', 'dev', link);
say('gone');
await sleep(120_000);
