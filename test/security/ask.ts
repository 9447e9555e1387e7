// One request, byte for byte, to an installation in this process, and what came of it on both sides.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arrived } from '#test/fuzz/bed/app';
import { type FuzzInstallation, HOST } from '#test/fuzz/bed/installation';

export interface Outcome {
  readonly statuses: readonly number[];
  readonly text: string;
  /** What the app received. */
  readonly arrived: readonly Arrived[];
  /** Action and code of what was recorded. */
  readonly recorded: readonly string[];
}

const PATIENCE = 3_000;
const SILENCE = 40;

/** Sends `bytes` behind TLS with `serverName`, and waits until both sides are quiet. */
export async function ask(
  installation: FuzzInstallation,
  bytes: string,
  serverName: string | false = HOST,
): Promise<Outcome> {
  const { app } = installation;
  installation.events();
  app.arrived.length = 0;
  const line = installation.line(serverName);
  line.say(Buffer.from(bytes, 'latin1'));
  const until = performance.now() + PATIENCE;
  for (let [quiet, seen] = [0, 0]; performance.now() < until && quiet < 3; quiet += 1) {
    await sleep(SILENCE / 3);
    const now = line.text.length + app.arrived.length;
    if (now !== seen || line.text === '') quiet = 0;
    if (line.destroyed && line.text === '') break;
    seen = now;
  }
  line.destroy();
  const recorded = installation.events().map(({ event }) => `${event.action} ${event.code ?? ''}`.trim());
  return { statuses: line.statuses, text: line.text, arrived: [...app.arrived], recorded };
}

/** A request of somebody who may read and write below /open of the app, and nowhere else. */
export function request(
  installation: FuzzInstallation,
  line: string,
  headers: readonly string[] = [],
  body = '',
): string {
  return [`${line} HTTP/1.1`, `Host: ${HOST}`, `Cookie: ${installation.cookie}`, ...headers, '', body].join(
    '\r\n',
  );
}

/** What every answer of ours says of itself. */
export const OWN_ANSWER: readonly RegExp[] = [
  /^cache-control: no-store\r$/im,
  /^content-security-policy: default-src 'none'.*; frame-ancestors 'none'/im,
  /^strict-transport-security: max-age=31536000\r$/im,
  /^x-content-type-options: nosniff\r$/im,
  /^x-frame-options: deny\r$/im,
  /^referrer-policy: same-origin\r$/im,
];
