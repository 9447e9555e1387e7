// What all workers of a gateway are asked together, because each has a part of it, and how their answers become one.
import type { DrillReport } from '#gateway/console/drill';
import { routeOf } from '#gateway/console/roles';

type Replies<Body> = readonly (readonly [worker: number, body: Body])[];

export interface OfAll {
  /** One answer of several. `away`: workers that were not there. */
  merge(replies: Replies<never>, away: readonly number[]): object;
  /** A worker that is not there has missed nothing: it takes this up by itself when it is started again. */
  readonly later: boolean;
  /** Statuses of answers that can be merged; 200 if left out. */
  readonly good?: readonly number[];
}

const OF_ALL: Readonly<Record<string, OfAll>> = {
  'GET /v1/status': { merge: mergedStatus, later: true },
  // All say what they found.
  'POST /v1/policy/reload': { merge: mergedReload, later: true, good: [200, 422] },
  // Half of a gateway proves nothing.
  'POST /v1/drills': { merge: mergedDrill, later: false },
  // Each keeps what it accepted.
  'POST /v1/changes': { merge: first, later: true },
  // Each has keys of its own, by one schedule in the shared state.
  'GET /v1/ssh-authority': { merge: mergedKeys, later: true },
  'POST /v1/ssh-authority/rotate': { merge: mergedRotation, later: true },
  // Each has intermediates of its own, and signs lists for them when it starts.
  'GET /v1/authorities': { merge: mergedAuthorities, later: true },
  'POST /v1/authorities/:id/rotate': { merge: mergedReport, later: false },
  'POST /v1/authorities/:id/request': { merge: joined('request'), later: false },
  'POST /v1/authorities/:id/import': { merge: mergedReport, later: false },
  'POST /v1/authorities/:id/crl': { merge: joined('lists'), later: true },
};

/** How that is asked of all workers; undefined for what any one of them answers. */
export function ofAllWorkers(method: string, url: string): OfAll | undefined {
  const route = routeOf(method, url);
  return route === undefined ? undefined : OF_ALL[route];
}

function first(replies: Replies<object>): object {
  return replies[0]?.[1] ?? {};
}

interface Keys {
  readonly authorities: string;
  readonly keys: readonly object[];
}

function mergedKeys(replies: Replies<Keys>): object {
  const keys = replies.flatMap(([worker, body]) => body.keys.map((one) => ({ ...one, worker })));
  return { ...first(replies), keys };
}

/** Who is away goes by the new schedule before it signs again. */
function mergedRotation(replies: Replies<object>, workers: readonly number[]): object {
  return { ...first(replies), away: workers };
}

interface Report {
  readonly intermediate: object;
}

function mergedReport(replies: Replies<Report>): object {
  return {
    ...first(replies),
    workers: replies.map(([worker, { intermediate }]) => ({ worker, intermediate })),
  };
}

function mergedAuthorities(replies: Replies<{ readonly authorities: readonly object[] }>): object {
  return {
    authorities: replies.flatMap(([worker, { authorities }]) =>
      authorities.map((one) => ({ ...one, worker })),
    ),
  };
}

/** Of texts in PEM, which may follow one another. */
function joined<Key extends string>(key: Key): (replies: Replies<Readonly<Record<Key, string>>>) => object {
  return (replies) => ({ [key]: replies.map(([, body]) => body[key]).join('') });
}

interface Status {
  readonly connectors: readonly object[];
  readonly openExchanges: number;
}

function mergedStatus(replies: Replies<Status>): object {
  return {
    ...first(replies),
    connectors: replies.flatMap(([worker, { connectors }]) => connectors.map((one) => ({ ...one, worker }))),
    openExchanges: replies.reduce((sum, [, { openExchanges }]) => sum + openExchanges, 0),
    workers: replies.map(([worker, status]) => ({ worker, ...status, connectors: status.connectors.length })),
  };
}

interface Reloaded {
  readonly problems: readonly string[];
}

function mergedReload(replies: Replies<Reloaded>): object {
  const problems = [...new Set(replies.flatMap(([, reloaded]) => reloaded.problems))];
  return { loaded: problems.length === 0, problems };
}

function mergedDrill(replies: Replies<DrillReport>): object {
  const reports = replies.map(([, report]) => report);
  const sum = (key: 'allowed' | 'denied' | 'failed'): number =>
    reports.reduce((total, report) => total + report[key], 0);
  const after = reports.map(({ readyAfterMs }) => readyAfterMs);
  const of = (worker: number, one: string): string => `worker ${worker}: ${one}`;
  return {
    ...reports[0],
    ...{ allowed: sum('allowed'), denied: sum('denied'), failed: sum('failed') },
    ailments: replies.flatMap(([worker, { ailments }]) => ailments.map((one) => of(worker, one))),
    findings: replies.flatMap(([worker, { findings }]) =>
      findings.map((one) => ({ ...one, seen: of(worker, one.seen) })),
    ),
    held: reports.every(({ held }) => held),
    readyAfterMs: after.includes(undefined) ? undefined : Math.max(...after.map(Number)),
  };
}
