// A crowd of connectors whose gateway is killed and started again: each dials with pauses of its own, as the connector
// does, until it has its tunnel back.
import { setTimeout as sleep } from 'node:timers/promises';
import type WebSocket from 'ws';
import { Backoff } from '#connectors/link/backoff';
import { dial } from '#connectors/link/dial';
import { enrol } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { readToken } from '#connectors/link/token';
import { DEFAULT_LIMITS, VERSIONS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import { IGNORE } from '#connectors/wire/stream';
import { overWebSocket } from '#connectors/wire/transport';
import type { Scope } from '#test/contract/redis';
import type { Finding } from '../report.ts';
import { Fleet } from './fleet.ts';

const TUNNELS = Number(process.env['SALLYPORT_TUNNELS'] ?? 10_000);
/** A connector may have 64. */
const EACH = 50;
/** Dials under way at once, as many machines would have them. */
const AT_ONCE = 200;
const PROMISED = 30;

class Dialler {
  #under = 0;
  readonly #waiting: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#under >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#under += 1;
    try {
      return await work();
    } finally {
      this.#under -= 1;
      this.#waiting.shift()?.();
    }
  }
}

export async function crowd(scope: Scope): Promise<Finding> {
  const names = Array.from({ length: Math.ceil(TUNNELS / EACH) }, (_, index) => `crowd-${index}`);
  const fleet = await Fleet.start(scope, {
    ...{ moreConnectors: names, connectors: [] },
    further: 'limits: { connections: 30000, perAddress: 30000 }\n',
  });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const address = new URL(`https://${gateway.address}:${gateway.connectors}`);
  const identities: Identity[] = [];
  for (const name of names)
    identities.push(await enrol(address, readToken(await gateway.token(name), Date.now())));
  const dialler = new Dialler();
  const state = { open: 0, stopped: false, downAt: 0, back: [] as number[] };
  const sockets = new Set<WebSocket>();
  scope.after(async () => {
    state.stopped = true;
    for (const ws of sockets) ws.terminate();
  });
  const keep = async (identity: Identity, index: number): Promise<void> => {
    const backoff = new Backoff(Math.random, () => performance.now());
    while (!state.stopped) {
      try {
        const ws = await dialler.run(() => dial(address, identity));
        sockets.add(ws);
        const lost = Promise.withResolvers<void>();
        const session = new Session({
          ...{ transport: overWebSocket(ws), limits: DEFAULT_LIMITS, budget: { held: 0 } },
          clock: () => performance.now(),
          greeting: {
            hello: {
              ...{ versions: VERSIONS, window: 65_536, streams: 8, apps: ['wiki'] },
              ...{ instance: `crowd-${index}`, software: 'crowd' },
            },
          },
          onReady: () => {
            state.open += 1;
            if (state.downAt > 0) state.back.push(performance.now() - state.downAt);
          },
          onOpen: () => IGNORE,
          onGoaway: () => undefined,
          onClose: () => lost.resolve(),
        });
        await lost.promise;
        session.goAway();
        sockets.delete(ws);
        state.open -= 1;
      } catch {
        // The pause is the same as after a loss.
      }
      if (!state.stopped) await sleep(backoff.next());
    }
  };
  for (let i = 0; i < TUNNELS; i += 1) void keep(identities[Math.floor(i / EACH)] as Identity, i);
  const deadline = performance.now() + 180_000;
  while (state.open < TUNNELS && performance.now() < deadline) await sleep(100);
  const had = state.open;
  await gateway.part.kill();
  await gateway.start();
  state.downAt = performance.now();
  const until = state.downAt + 90_000;
  while (state.back.length < had && performance.now() < until) await sleep(100);
  const times = state.back.toSorted((a, b) => a - b);
  const p95 = (times[Math.ceil(had * 0.95) - 1] ?? Number.POSITIVE_INFINITY) / 1_000;
  return {
    required: `95 % of ${TUNNELS} tunnels are back within ${PROMISED} s of the gateway's start`,
    measured: `${times.length} of ${had} are back, 95 % within ${p95.toFixed(1)} s`,
    held: had === TUNNELS && p95 <= PROMISED,
    figures: { [`reconnect_p95_s_${TUNNELS === 10_000 ? '10k' : TUNNELS}`]: Math.round(p95 * 10) / 10 },
  };
}
