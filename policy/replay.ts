// Runs recorded inputs through a candidate policy: who would gain and who would lose access, by which rule.
import type { Decision } from './decision.ts';
import type { AccessRequest, Subject } from './input.ts';
import type { Policy, PreparedSubject } from './policy.ts';
import type { RecordedDecision } from './recorded.ts';

/** Decisions that change in the same way. */
export interface Change {
  readonly app: string;
  /** What decided then: a rule's id, or `-` for the default deny. */
  readonly before: string;
  /** What decides with the candidate. */
  readonly after: string;
  readonly requests: number;
  /** Different subjects; counted up to a million. */
  readonly subjects: number;
  /** One recorded decision to look at. */
  readonly example: string;
}

/** What one shadow rule of the candidate would have done. */
export interface ShadowCount {
  readonly rule: string;
  readonly matched: number;
  /** Requests whose verdict it would have changed. */
  readonly changed: number;
}

export interface ReplayReport {
  readonly requests: number;
  /** Decisions in the records that could not be read. */
  readonly unreadable: number;
  readonly unchanged: number;
  /** Denied then, allowed by the candidate. */
  readonly gains: readonly Change[];
  /** Allowed then, denied by the candidate. */
  readonly losses: readonly Change[];
  readonly shadow: readonly ShadowCount[];
  /** Rules of the candidate that decided at least once. */
  readonly hit: readonly string[];
}

export interface ReplayOptions {
  /** Called about every `every` requests. */
  readonly progress?: (requests: number) => void;
  readonly every?: number;
}

/** Sessions whose memberships are kept resolved. */
const MAX_PREPARED = 100_000;
const MAX_SUBJECTS = 1_000_000;

/** `recorded` yields undefined for a decision that could not be read. */
export async function replay(
  recorded: Iterable<RecordedDecision | undefined> | AsyncIterable<RecordedDecision | undefined>,
  candidate: Policy,
  { progress, every = 50_000 }: ReplayOptions = {},
): Promise<ReplayReport> {
  const run = new Replay(candidate);
  if (Symbol.iterator in recorded) {
    for (const one of recorded) {
      run.take(one);
      if (run.requests % every === 0) progress?.(run.requests);
    }
  } else {
    for await (const one of recorded) {
      run.take(one);
      if (run.requests % every === 0) progress?.(run.requests);
    }
  }
  return run.report();
}

interface Tally {
  readonly app: string;
  readonly before: string;
  readonly after: string;
  readonly gain: boolean;
  readonly example: string;
  requests: number;
  readonly subjects: Set<string>;
}

class Replay {
  requests = 0;
  #unreadable = 0;
  #changed = 0;
  readonly #candidate: Policy;
  readonly #prepared: Map<string, PreparedSubject> = new Map();
  readonly #tallies: Map<string, Tally> = new Map();
  readonly #shadow: Map<string, { matched: number; changed: number }>;
  readonly #hit: Set<string> = new Set();

  constructor(candidate: Policy) {
    this.#candidate = candidate;
    const shadows = candidate.compiled.rules.filter(({ shadow }) => shadow);
    this.#shadow = new Map(shadows.map(({ id }) => [id, { matched: 0, changed: 0 }]));
  }

  take(recorded: RecordedDecision | undefined): void {
    if (recorded === undefined) {
      this.#unreadable += 1;
      return;
    }
    this.requests += 1;
    const { input, verdict } = recorded;
    const decision = this.#candidate.decide(input, this.#prepare(input.subject));
    this.#count(decision);
    if (decision.verdict !== verdict && !isBeyond(recorded, decision)) this.#note(recorded, decision, input);
  }

  report(): ReplayReport {
    const sorted = [...this.#tallies.values()].sort((a, b) => b.requests - a.requests);
    const changes = (gain: boolean): Change[] =>
      sorted
        .filter((tally) => tally.gain === gain)
        .map(({ gain: _, subjects, ...rest }) => ({ ...rest, subjects: subjects.size }));
    return {
      requests: this.requests,
      unreadable: this.#unreadable,
      unchanged: this.requests - this.#changed,
      gains: changes(true),
      losses: changes(false),
      shadow: [...this.#shadow].map(([rule, count]) => ({ rule, ...count })),
      hit: [...this.#hit].sort(),
    };
  }

  /** Memberships are resolved once per subject, again when its groups or roles differ. */
  #prepare(subject: Subject): PreparedSubject {
    const known = this.#prepared.get(subject.id);
    if (known !== undefined && isSame(known.subject, subject)) return known;
    if (this.#prepared.size >= MAX_PREPARED) this.#prepared.clear();
    const prepared = this.#candidate.prepare(subject);
    this.#prepared.set(subject.id, prepared);
    return prepared;
  }

  #count({ verdict, rule, shadow }: Decision): void {
    if (rule !== undefined) this.#hit.add(rule.id);
    if (shadow === undefined) return;
    for (const { rule: id, would } of shadow) {
      const count = this.#shadow.get(id);
      if (count === undefined) continue;
      count.matched += 1;
      if (would !== verdict) count.changed += 1;
    }
  }

  #note(recorded: RecordedDecision, decision: Decision, { target, subject }: AccessRequest): void {
    this.#changed += 1;
    const before = recorded.rule ?? '-';
    const after = decision.rule?.id ?? '-';
    const key = JSON.stringify([target.app, before, after, decision.verdict]);
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      const gain = decision.verdict === 'allow';
      tally = {
        app: target.app,
        before,
        after,
        gain,
        example: recorded.id,
        requests: 0,
        subjects: new Set(),
      };
      this.#tallies.set(key, tally);
    }
    tally.requests += 1;
    if (tally.subjects.size < MAX_SUBJECTS) tally.subjects.add(subject.id);
  }
}

/** Whether what denied the request then would deny it still, whatever the candidate says: a revocation, an error, a rate. */
function isBeyond({ reason }: RecordedDecision, { obligations }: Decision): boolean {
  if (reason === 'rate-limited') return obligations?.rate !== undefined;
  return reason === 'revoked' || reason === 'error';
}

function isSame(a: Subject, b: Subject): boolean {
  if (a === b) return true;
  return a.kind === b.kind && a.email === b.email && areSame(a.groups, b.groups) && areSame(a.roles, b.roles);
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
