// Everything that is open because it was allowed: decided again when the policy, a session or the time changes,
// and closed when the answer is no longer yes.

import type { Socket } from 'node:net';
import type { LiveSession } from '#gateway/identity/live-session';
import type { TunnelPeer } from '#gateway/tunnel/relay';
import type { AccessRequest } from '#policy/input';
import type { Ruling, Rulings } from './ruling.ts';

/** How often open exchanges are decided again for the passing of time, in milliseconds. */
const REVIEW_INTERVAL = 1_000;
/** Exchanges reviewed before other work gets its turn. */
const REVIEW_BATCH = 500;

/** One allowed exchange that is still going on. */
export interface OpenExchange {
  readonly session: LiveSession;
  readonly input: AccessRequest;
  /** Whose tunnel carries it; undefined while none does. */
  readonly carrier?: TunnelPeer | undefined;
  /** The connection that it came by. */
  readonly socket?: Socket | undefined;
  /**
   * Closes both sides; called at most once. `since`: when it ceased to be allowed or that was found, epoch ms; undefined if
   * it still is.
   */
  close(reason: StreamEnd, since: number | undefined): void;
}

/** Why an open exchange was closed by us. */
export type StreamEnd =
  | 'session-ended'
  | 'revoked'
  | 'policy-changed'
  | 'posture-changed'
  | 'connector-posture-changed'
  | 'no-longer-allowed'
  /** It could not be found out whether it is still allowed. */
  | 'not-decided'
  /** It is still allowed. */
  | 'gateway-stopped';

/** Why everything open is decided again. */
export type ReviewReason = Extract<StreamEnd, 'policy-changed' | 'posture-changed' | 'no-longer-allowed'>;

/** What is known now of the machines at both ends: the one behind the session's door, and the connector's. */
export type Machines = Pick<AccessRequest, 'device' | 'connector'>;
type MachinesOf<T> = (exchange: OpenExchange) => Promise<T>;

export class OpenExchanges {
  readonly #rulings: Rulings;
  readonly #alive: (session: LiveSession) => Promise<boolean>;
  /** Undefined where that cannot be found out. */
  readonly #machines: MachinesOf<Machines | undefined>;
  readonly #now: () => number;
  readonly #open = new Set<OpenExchange>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * `alive`: whether a session still is; a failure to find out closes what it has open. One of `machines` counts as unknown,
   * and closes what is not allowed without them.
   */
  constructor(
    rulings: Rulings,
    alive: (session: LiveSession) => Promise<boolean>,
    now: () => number,
    machines: MachinesOf<Machines>,
  ) {
    this.#rulings = rulings;
    this.#alive = alive;
    this.#machines = (exchange) => machines(exchange).catch(() => undefined);
    this.#now = now;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The connections that they came by. */
  get sockets(): ReadonlySet<unknown> {
    return new Set(Array.from(this.#open, ({ socket }) => socket));
  }

  add(exchange: OpenExchange): void {
    this.#open.add(exchange);
  }

  delete(exchange: OpenExchange): void {
    this.#open.delete(exchange);
  }

  /** Begins to review for time windows that end. */
  start(): void {
    this.#timer = setInterval(() => void this.review('no-longer-allowed'), REVIEW_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Closes everything a session has open, before this returns. Returns how many there were. */
  endSession(session: string): number {
    return this.end((exchange) => exchange.session.id === session, 'session-ended');
  }

  /** Closes every exchange that `meant` names, before this returns. Returns how many there were. */
  end(meant: (exchange: OpenExchange) => boolean, reason: StreamEnd): number {
    const since = this.#now();
    const ended = [...this.#open].filter(meant);
    for (const exchange of ended) this.#close(exchange, reason, since);
    return ended.length;
  }

  /** Closes all that is left when the gateway stops. */
  endAll(): void {
    for (const exchange of [...this.#open]) this.#close(exchange, 'gateway-stopped', undefined);
  }

  /** How many there are that fit, by session. */
  bySession(fits: (exchange: OpenExchange) => boolean): Map<string, number> {
    const counts = new Map<string, number>();
    for (const exchange of this.#open) {
      const { id } = exchange.session;
      if (fits(exchange)) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  /**
   * Decides every open exchange again as of now; a session that has run out takes its exchanges with it. `reason`: what
   * policy no longer allows is closed for.
   */
  async review(reason: ReviewReason): Promise<void> {
    const since = this.#now();
    const open = [...this.#open];
    const under: Promise<void>[] = [];
    for (let from = 0; from < open.length; from += REVIEW_BATCH) {
      if (from > 0) await new Promise((resolve) => setImmediate(resolve));
      // None is waited for before the next: one whose facts are long in coming must not keep the others open.
      for (const one of open.slice(from, from + REVIEW_BATCH)) under.push(this.#again(one, reason, since));
    }
    await Promise.all(under);
  }

  async #again(exchange: OpenExchange, reason: ReviewReason, since: number): Promise<void> {
    const { session } = exchange;
    const { device: _, connector: __, ...opened } = exchange.input;
    const machines = await this.#machines(exchange);
    const input = { ...opened, ...machines, at: this.#now() };
    const ruling = this.#rulings.judge(session, input);
    if (ruling.decision.verdict !== 'allow') {
      const found = machines !== undefined || ruling.decision.reason === 'revoked';
      this.#close(exchange, found ? this.#causeOf(ruling, input, reason) : 'not-decided', since);
      return;
    }
    const ended = await this.#alive(session).then(
      (alive) => (alive ? undefined : 'session-ended'),
      () => 'not-decided' as const,
    );
    if (ended !== undefined) this.#close(exchange, ended, since);
  }

  /** The connector, if it is what the exchange is no longer allowed for. Only then is it asked why: a thousand may end. */
  #causeOf(denial: Ruling, input: AccessRequest, reason: ReviewReason): StreamEnd {
    if (denial.decision.reason === 'revoked') return 'revoked';
    if (denial.decision.reason === 'error') return 'not-decided';
    if (reason === 'policy-changed' || !this.#rulings.asksConnector(input.target.app)) return reason;
    const unmet = this.#rulings.reasoned(denial, input).explanation?.nearest[0]?.unmet ?? [];
    return unmet.some(({ criterion }) => criterion === 'connector') ? 'connector-posture-changed' : reason;
  }

  #close(exchange: OpenExchange, reason: StreamEnd, since: number | undefined): void {
    if (this.#open.delete(exchange)) exchange.close(reason, since);
  }
}
