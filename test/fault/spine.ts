// kill -9 of a gateway at 200 random moments under load (SALLYPORT_KILLS for another number): whatever a client or the
// app has seen of an allowed request is in the record, and the gateway comes back and serves.
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Scope, StoryInstallation } from '../story/installation.ts';
import { faultsOf } from '../story/record.ts';
import type { FaultOptions, FaultReport } from './report.ts';

const KILLS = Number(process.env['SALLYPORT_KILLS'] ?? 200);
/** Requests under way at once. */
const CLIENTS = 8;
/** Milliseconds of load before a kill: some in the middle of the first request, some of many. */
const LONGEST_LOAD = 400;
/** Promised: a killed gateway accepts again within this, in milliseconds. */
const BACK_WITHIN = 5_000;
/** Kills after which the connector is started anew: its pauses grow with every loss, up to half a minute. */
const PATIENCE_OF_CONNECTOR = 3;

export interface SpineOutcome {
  readonly kills: number;
  /** Answers of the app that clients have seen. */
  readonly answered: number;
  /** Requests in the app's own log. */
  readonly reached: number;
  /** Of those, the ones the record says nothing of: must be empty. */
  readonly unrecorded: readonly string[];
  /** What is wrong with the record itself. */
  readonly faults: readonly string[];
  /** From each start of the gateway to its first answer, milliseconds. */
  readonly back: readonly number[];
  /** Times the connector found the gateway again without help. */
  readonly reconnected: number;
}

/** Kills a gateway `kills` times. Everything is stopped when `scope` ends. */
export async function killGateway(
  scope: Scope,
  kills: number,
  progress: (line: string) => void,
): Promise<SpineOutcome> {
  const installation = await StoryInstallation.start(scope);
  const wiki = installation.originOf('wiki');
  const ada = installation.visitor();
  await ada.signIn(`${wiki}/`, 'ada', 'password');
  const cookie = ada.cookieHeader('wiki.localhost');
  const answered: string[] = [];
  const back: number[] = [];
  let reconnected = 0;

  for (let kill = 1; kill <= kills; kill += 1) {
    const load = new Load(installation, cookie, `/kill-${kill}`);
    await sleep(Math.random() * LONGEST_LOAD);
    await installation.gateway.kill();
    answered.push(...(await load.stop()));
    const startedAt = performance.now();
    await installation.startGateway();
    await serves(wiki, installation);
    back.push(performance.now() - startedAt);
    if (kill % PATIENCE_OF_CONNECTOR === 0) {
      await installation.connector.stop();
      installation.startConnector();
    } else reconnected += 1;
    await installation.connected();
    const reply = await ada.ask(`${wiki}/after-${kill}`);
    if (reply.status !== 404)
      throw new Error(`after kill ${kill} the app answers ${reply.status}: ${reply.body}`);
    answered.push(`/after-${kill}`);
    if (kill % 20 === 0) progress(`${kill} kills, ${answered.length} answers seen`);
  }

  await installation.gateway.stop();
  const recorded = new Set(
    installation
      .events()
      .flatMap(({ event, url }) => (event.action === 'access-allowed' ? [url?.path ?? ''] : [])),
  );
  const reached = installation.nginx.log().map(({ request: line }) => line.split(' ')[1] ?? '');
  const unrecorded = [...new Set([...answered, ...reached])].filter((path) => !recorded.has(path));
  const faults = faultsOf(installation.outbox);
  return { kills, answered: answered.length, reached: reached.length, unrecorded, faults, back, reconnected };
}

/** Requests on several connections, each path asked for once, until it is stopped. */
class Load {
  readonly #answered: string[] = [];
  readonly #clients: Promise<void>[];
  #stopped = false;

  constructor(installation: StoryInstallation, cookie: string, prefix: string) {
    const dispatcher = installation.dispatcher(installation.ca);
    const wiki = installation.originOf('wiki');
    const client = async (number: number): Promise<void> => {
      for (let n = 0; !this.#stopped; n += 1) {
        const path = `${prefix}-${number}-${n}`;
        const reply = await request(wiki + path, { dispatcher, headers: { cookie } }).catch(() => undefined);
        if (reply === undefined) return;
        // Any answer of the app counts, whole or not: somebody has seen it.
        if (reply.statusCode === 404) this.#answered.push(path);
        await reply.body.dump().catch(() => undefined);
      }
    };
    this.#clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  }

  async stop(): Promise<readonly string[]> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    return this.#answered;
  }
}

/** Waits until the people's listener answers: that it is there, not what it says. */
async function serves(origin: string, installation: StoryInstallation): Promise<void> {
  const dispatcher = installation.dispatcher(installation.ca);
  for (;;) {
    const reply = await request(origin, { dispatcher }).catch(() => undefined);
    await reply?.body.dump();
    if (reply?.statusCode === 401) return;
    await sleep(10);
  }
}

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const steps: (() => Promise<void>)[] = [];
  try {
    const outcome = await killGateway({ after: (step) => void steps.push(step) }, KILLS, progress);
    const longest = Math.max(...outcome.back);
    const held = outcome.unrecorded.length === 0 && outcome.faults.length === 0 && longest <= BACK_WITHIN;
    const table = [
      `${outcome.kills} kills -9 under load of ${CLIENTS} clients`,
      `${outcome.answered} answers seen by clients, ${outcome.reached} requests in the app's log`,
      `${outcome.unrecorded.length} of them not in the record`,
      `${outcome.faults.length} faults in the record (lines, numbers, ids, ECS)`,
      `back after at most ${Math.round(longest)} ms; ${outcome.reconnected} times found by the connector itself`,
      ...outcome.unrecorded.slice(0, 10),
      ...outcome.faults.slice(0, 10),
    ].join('\n');
    const figures = {
      kills: outcome.kills,
      answers: outcome.answered,
      unrecorded: outcome.unrecorded.length,
      record_faults: outcome.faults.length,
      back_ms_max: Math.round(longest),
      reconnected: outcome.reconnected,
    };
    return { table, figures, held };
  } finally {
    for (const step of steps) await step();
  }
}
