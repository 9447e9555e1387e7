// The agent on a person's machine: keeps its posture fresh, proves it anew at once when a PCR changes, and answers
// browsers of this machine that must show which device they are on.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AGENT_PATH, BOUND_PATH, CHALLENGE } from '../wire/browser.ts';
import { type AttestationReply, QUOTED_PCRS } from '../wire/evidence.ts';
import { type Attesting, attestDevice } from './ceremony.ts';
import type { DeviceState } from './key-store.ts';
import { browserStatement } from './proof.ts';
import { withTpm } from './tpm/keys.ts';

/** How often the PCRs are looked at, in milliseconds: what a change of them no longer allows ends this soon. */
const WATCH_INTERVAL = 1_000;
/** After a failure it is tried again this much later, and twice as much each time, up to the last. */
const FIRST_RETRY = 2_000;
const LAST_RETRY = 60_000;
/** A result is renewed when this part of its life has passed. */
const RENEW_AT = 2 / 3;
/** Statements signed for browsers in one second, whatever pages make a browser ask. */
const STATEMENTS_PER_SECOND = 4;

export interface AgentOptions {
  readonly device: DeviceState;
  readonly agent: Attesting['agent'];
  readonly eventLog: string;
  /** The token of the person's sign-in as it is now; undefined while nobody is signed in. */
  token(): string | undefined;
  readonly now: () => number;
  readonly random: () => number;
  onResult(result: AttestationReply): void;
  onFailure(error: Error): void;
}

/** An agent that runs. */
export interface RunningAgent {
  /** Where browsers find it. */
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on `port` of loopback (0: any) and attests until closed. Rejects if the port is taken. */
export async function startAgent(options: AgentOptions, port: number): Promise<RunningAgent> {
  const server = answering(options);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as AddressInfo).port;
  const stop = new AbortController();
  const loop = keepFresh(options, own, stop.signal);
  return {
    port: own,
    async close() {
      stop.abort();
      server.close();
      server.closeAllConnections();
      await loop;
    },
  };
}

async function keepFresh(options: AgentOptions, port: number, stop: AbortSignal): Promise<void> {
  const { device, agent, eventLog, now, random } = options;
  let retry = FIRST_RETRY;
  while (!stop.aborted) {
    const token = options.token();
    let next: number;
    let seen: string | undefined;
    try {
      // Before the quote: a change while it is made is seen after it.
      seen = await pcrsOf(device);
      const signedIn = token === undefined ? {} : { token };
      const result = await attestDevice({ device, agent, eventLog, port, now, ...signedIn });
      options.onResult(result);
      retry = FIRST_RETRY;
      next = now() + Math.max(WATCH_INTERVAL, (result.expiresAt - now()) * RENEW_AT * (0.9 + random() * 0.1));
    } catch (error) {
      if (stop.aborted) return;
      options.onFailure(error as Error);
      next = now() + retry * (0.5 + random() / 2);
      retry = Math.min(LAST_RETRY, retry * 2);
    }
    while (!stop.aborted && now() < next) {
      await sleep(Math.max(1, Math.min(WATCH_INTERVAL, next - now())), undefined, { signal: stop }).catch(
        () => undefined,
      );
      if (options.token() !== token) break;
      if (seen !== undefined && (await pcrsOf(device).catch(() => seen)) !== seen) break;
    }
  }
}

async function pcrsOf(device: DeviceState): Promise<string> {
  return Buffer.concat(await withTpm(device.tpm, (tpm) => tpm.pcrRead(QUOTED_PCRS))).toString('hex');
}

/** Answers browsers of this machine; anything else hears nothing of use. */
function answering({ device, now }: AgentOptions): Server {
  let second = 0;
  let signed = 0;
  return createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000 },
    (request, response) => {
      const answer = (status: number, text: string, headers: Record<string, string> = {}): void => {
        response.writeHead(status, {
          'content-type': 'text/plain',
          'cache-control': 'no-store',
          'referrer-policy': 'no-referrer',
          ...headers,
        });
        response.end(text);
      };
      // A page that made its own name point here (DNS rebinding) cannot change the Host its browser sends.
      const address = request.socket.address() as AddressInfo;
      const url = new URL(request.url ?? '/', 'http://127.0.0.1');
      const challenge = url.searchParams.get('challenge') ?? '';
      const ours = request.headers.host === `127.0.0.1:${address.port}` && url.pathname === AGENT_PATH;
      // Only for a browser that goes there itself: no page may read or embed what is answered.
      const mode = request.headers['sec-fetch-mode'];
      const navigates = mode === undefined || mode === 'navigate';
      if (request.method !== 'GET' || !ours || !navigates || !CHALLENGE.test(challenge)) {
        return answer(404, 'This is the Sallyport agent. Go back to your portal.\n');
      }
      const current = Math.floor(now() / 1000);
      signed = current === second ? signed + 1 : 1;
      second = current;
      if (signed > STATEMENTS_PER_SECOND) return answer(429, 'Too often; try again in a moment.\n');
      browserStatement(device, challenge, now()).then(
        (proof) => {
          const location = new URL(BOUND_PATH, device.portal);
          location.search = new URLSearchParams({ proof }).toString();
          answer(302, '', { location: location.href });
        },
        (error: Error) => answer(503, `The TPM did not answer: ${error.message}\n`),
      );
    },
  );
}
