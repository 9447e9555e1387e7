// The agent on a person's machine: keeps its posture fresh, proves it anew at once when a PCR changes, and answers
// browsers of this machine that must show which device they are on.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AGENT_PATH, BOUND_PATH, CHALLENGE } from '../wire/browser.ts';
import type { AttestationReply } from '../wire/evidence.ts';
import { type Attesting, attestDevice } from './ceremony.ts';
import { keepFresh } from './fresh.ts';
import type { DeviceState } from './key-store.ts';
import { browserStatement } from './proof.ts';

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
  const { device, agent, eventLog, token, now } = options;
  const loop = keepFresh(
    {
      ...options,
      tpm: device.tpm,
      // What cannot be read is told of where it is needed.
      occasion: () => {
        try {
          return token();
        } catch {
          return undefined;
        }
      },
      attest: () => {
        const held = token();
        const signedIn = held === undefined ? {} : { token: held };
        return attestDevice({ device, agent, eventLog, port: own, now, ...signedIn });
      },
    },
    stop.signal,
  );
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
      // Not as an address: not every target is one, and any page may send its visitors' browsers here.
      const [path, query] = (request.url ?? '').split('?', 2);
      const challenge = new URLSearchParams(query).get('challenge') ?? '';
      const ours = request.headers.host === `127.0.0.1:${address.port}` && path === AGENT_PATH;
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
