// What strangers may cost. Refusals are recorded one by one up to a limit, for each address and for all; beyond it they
// are counted and told in sums, so that nobody without a session floods the record, the store or an identity provider,
// and nothing is lost silently. It must never stand in the way of a request with a session.
import type { Metrics } from '#gateway/console/metrics';
import { networkOf } from '#gateway/edge/address';
import { hashSecret } from '#gateway/identity/cookies';
import { Counts } from '#gateway/state/counts';
import type { Store } from '#gateway/state/store';
import type { RefusalsSummed, SallyportEvent } from '#siem/event';
import type { Actor, Peer } from '#siem/parties';
import type { Recorder, RecordOptions } from '#siem/recorder';

/** In any minute: of one address (an IPv6 client has a /64 network of them), and of all at one gateway. */
export interface StrangerLimits {
  readonly perAddress: number;
  readonly together: number;
}

/** A refusal at the admin socket, of somebody on this machine who may be anybody there. */
export type RefusedAction = Extract<SallyportEvent, { readonly kind: 'admin-action' }> & {
  readonly code: string;
};

/** A refusal of somebody who may be anybody. */
export type Refused = Extract<SallyportEvent, { readonly code: string; readonly client: Peer }>;

/** What strangers may ask for that writes to the store or goes out to others. */
export type Costly = 'sign-in' | 'device-challenge' | 'key-proof';

export interface StrangersParts {
  readonly limits: StrangerLimits;
  readonly store: Pick<Store, 'admit'>;
  readonly recorder: Pick<Recorder, 'record'>;
  readonly metrics: Pick<Metrics, 'refused'>;
  /** Whether the outbox fills faster than it is emptied: what strangers do is then told in sums alone. */
  readonly behind: () => boolean;
  readonly now: () => number;
}

const WINDOW = 60_000;
/** What is left to one address in a minute when there is too much of all: enough to sign in once, with a mistake. */
const A_FEW = 10;
/** Of all who ask at the admin socket without saying who they are: the log of these is kept for good. */
const ADMIN_REFUSALS = 10;
const UNKNOWN = { kind: 'user', id: 'unknown' } as const;
/** Addresses told apart in a minute, and those of them that get an event of their own. */
const MAX_SUMS = 10_000;
const MAX_TOLD = 20;
/** Where the sums of all other addresses are kept. */
const ELSEWHERE = '';

/** An address, or the admin socket, has had its share. It was counted. */
export class TooMany extends Error {
  readonly code = 'too-many';
  /** Seconds. */
  readonly retryAfter: number;
  /** `wait`: milliseconds. */
  constructor(wait: number) {
    super('Too much was refused to you in the last minute.');
    this.retryAfter = Math.max(1, Math.ceil(wait / 1000));
  }
}

interface Sum {
  readonly client?: Peer | undefined;
  readonly by?: Actor | undefined;
  readonly addresses: number;
  readonly byCode: Map<string, number>;
  from: number;
  to: number;
}

export class Strangers {
  readonly #parts: StrangersParts;
  readonly #own: Counts;
  readonly #all: Counts;
  /** By network. */
  #sums = new Map<string, Sum>();
  /** Of the admin socket, by who asked: told whatever strangers do elsewhere. */
  readonly #actions = new Map<string, Sum>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: StrangersParts) {
    this.#parts = parts;
    this.#own = new Counts(parts.now);
    // Apart: so many addresses that the oldest counts go must not set this one back.
    this.#all = new Counts(parts.now);
    this.#timer = setInterval(() => {
      this.#own.sweep();
      void this.tell();
    }, WINDOW).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * Records a refusal and answers its event's id; undefined if it was only counted. Rejects with TooMany, having counted
   * it, when its address has had its share, and as the recorder does.
   */
  async record(event: Refused, options?: RecordOptions): Promise<string | undefined> {
    const crowded = this.#spend('refused', event.code, event.client);
    if (!crowded && !this.#parts.behind()) return this.#parts.recorder.record(event, options);
    this.#count(event.code, event.client);
    return undefined;
  }

  /** The same at the admin socket, where all share one limit. */
  async recordAction(event: RefusedAction, options?: RecordOptions): Promise<string> {
    const wait = this.#all.admit('admin', ADMIN_REFUSALS, WINDOW);
    if (wait === 0) return this.#parts.recorder.record(event, options);
    this.countAction(UNKNOWN, event.code);
    throw new TooMany(wait);
  }

  /** A request at the admin socket of somebody who has had their share: it is told in a sum alone. */
  countAction(by: Actor, code: string): void {
    const at = this.#parts.now();
    this.#keepAction({ by, addresses: 0, byCode: new Map([[code, 1]]), from: at, to: at });
  }

  /** Lets a stranger have what costs something; counted over all gateways. @throws {TooMany} having counted it. */
  async admit(what: Costly, client: Peer): Promise<void> {
    // First here: what is refused by this must not cost a round trip.
    this.#spend(what, what, client);
    const key = hashSecret(`${what} ${networkOf(client.address)}`);
    const wait = await this.#parts.store.admit(key, this.#parts.limits.perAddress, WINDOW);
    if (wait > 0) this.#tooMany(what, client, wait);
  }

  /** Records what was only counted so far. What cannot be recorded now is told the next time. */
  async tell(): Promise<void> {
    const sums = [...this.#sums].sort(([, one], [, other]) => totalOf(other) - totalOf(one));
    this.#sums = new Map();
    const told = sums.slice(0, MAX_TOLD);
    const others = sums.slice(MAX_TOLD).map(([, sum]) => sum);
    if (others.length > 0) told.push([ELSEWHERE, together(others)]);
    for (const [network, sum] of told) {
      await this.#parts.recorder.record(eventOf(sum)).catch(() => this.#keep(network, sum));
    }
    const actions = [...this.#actions.values()];
    this.#actions.clear();
    for (const sum of actions)
      await this.#parts.recorder.record(eventOf(sum)).catch(() => this.#keepAction(sum));
  }

  /**
   * Takes one from an address's share; true if there is too much of all. What is beyond its share is none of all, so that
   * no address makes it too much for the others by itself. @throws {TooMany}
   */
  #spend(kind: string, code: string, client: Peer): boolean {
    const { limits, metrics } = this.#parts;
    if (kind === 'refused') metrics.refused();
    const crowded = this.#all.wait(kind, limits.together, WINDOW) > 0;
    const share = crowded ? Math.min(A_FEW, limits.perAddress) : limits.perAddress;
    const wait = this.#own.admit(`${kind} ${networkOf(client.address)}`, share, WINDOW);
    if (wait > 0) this.#tooMany(code, client, wait);
    if (!crowded) this.#all.admit(kind, limits.together, WINDOW);
    return crowded;
  }

  #tooMany(code: string, client: Peer, wait: number): never {
    this.#count(code, client);
    throw new TooMany(wait);
  }

  #count(code: string, { address, country }: Peer): void {
    const at = this.#parts.now();
    const client = { address, country };
    this.#keep(networkOf(address), { client, addresses: 1, byCode: new Map([[code, 1]]), from: at, to: at });
  }

  #keep(network: string, more: Sum): void {
    const told = this.#sums.has(network) || this.#sums.size < MAX_SUMS ? network : ELSEWHERE;
    const known = this.#sums.get(told);
    if (known !== undefined) add(known, more);
    else this.#sums.set(told, told === network ? more : together([more]));
  }

  #keepAction(more: Sum): void {
    const who = more.by?.id ?? UNKNOWN.id;
    const known = this.#actions.get(who);
    if (known === undefined) this.#actions.set(who, more);
    else add(known, more);
  }
}

function together(sums: readonly Sum[]): Sum {
  const addresses = sums.reduce((count, sum) => count + sum.addresses, 0);
  const all: Sum = { addresses, byCode: new Map(), from: Number.POSITIVE_INFINITY, to: 0 };
  for (const sum of sums) add(all, sum);
  return all;
}

function add(sum: Sum, more: Sum): void {
  for (const [code, count] of more.byCode) sum.byCode.set(code, (sum.byCode.get(code) ?? 0) + count);
  sum.from = Math.min(sum.from, more.from);
  sum.to = Math.max(sum.to, more.to);
}

function totalOf({ byCode }: Sum): number {
  return byCode.values().reduce((total, count) => total + count, 0);
}

function eventOf(sum: Sum): RefusalsSummed {
  const byCode = [...sum.byCode].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count);
  const { client, by, addresses, from, to } = sum;
  return {
    kind: 'refusals-summed',
    client,
    ...(by && { by }),
    addresses,
    count: totalOf(sum),
    byCode,
    from,
    to,
  };
}
