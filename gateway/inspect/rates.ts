// Rates that policy sets on what it allows: counted in the store, so that all gateways of an installation count
// together. A count that cannot be had is a deny. Only what passes is counted: otherwise whoever shares a count, by an
// address or an app, could keep all others out by asking on.
import type { Ruling } from '#gateway/access/ruling';
import type { Way } from '#gateway/access/ways';
import { networkOf } from '#gateway/edge/address';
import { hashSecret } from '#gateway/identity/cookies';
import type { Store } from '#gateway/state/store';
import type { Decision, Obligations, RateKey } from '#policy/decision';
import type { AccessRequest } from '#policy/input';

type Rate = NonNullable<Obligations['rate']>;

const ERROR: Decision = Object.freeze({ verdict: 'deny', reason: 'error' });

export class Rates {
  readonly #store: Pick<Store, 'admit'>;
  readonly #now: () => number;

  constructor(store: Pick<Store, 'admit'>, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * The first way that a rule opens whose rate is kept, or else the refusal that is over soonest: each rule is a grant of
   * its own, and one whose rate is used up takes nothing away from another. `without`: the way by other rules than those.
   */
  async kept(first: Way, without: (spent: ReadonlySet<string>) => Way | Promise<Way>): Promise<Way> {
    const spent = new Map<string, Rate>();
    let refused: Way | undefined;
    for (let way = first; ; way = await without(new Set(spent.keys()))) {
      const { verdict, rule: { id } = { id: '' }, obligations } = way.ruling.decision;
      // A rule that comes again although it is spent gets nobody any further.
      if (refused !== undefined && (verdict !== 'allow' || spent.has(id))) return refused;
      const rate = obligations?.rate;
      if (rate === undefined) return way;
      const within = [...spent.values()].some((other) => isWithin(rate, other));
      spent.set(id, rate);
      if (within) continue;
      const ruling = await this.keep(way.ruling, way.input);
      if (ruling.decision.reason !== 'rate-limited') return { ...way, ruling };
      if (refused === undefined || (ruling.retryAfter ?? 0) < (refused.ruling.retryAfter ?? 0))
        refused = { ...way, ruling };
    }
  }

  /** The ruling itself while its rate is kept, or the refusal that it becomes. Never throws. */
  async keep(ruling: Ruling, input: AccessRequest): Promise<Ruling> {
    const { decision, policy } = ruling;
    const rate = decision.verdict === 'allow' ? decision.obligations?.rate : undefined;
    if (rate === undefined) return ruling;
    try {
      const wait = await this.#store.admit(keyOf(rate, decision, input), rate.requests, rate.per);
      return wait === 0 ? ruling : exceeded(ruling, rate, this.#now(), wait);
    } catch {
      const explanation = { decision: ERROR, nearest: [], remedy: { kind: 'none' as const }, entitled: true };
      return { decision: ERROR, policy, explanation };
    }
  }
}

/** Whether whoever keeps to `rate` keeps to `other`, too: it gives nothing more once that one is used up. */
function isWithin(rate: Rate, other: Rate): boolean {
  const [one, two] = [rate, other].map(({ by = ['user'] }) => by.toSorted().join());
  return one === two && rate.requests <= other.requests && rate.per >= other.per;
}

/** What is counted together. Hashed, so that a store says nothing of who asked for what, and keys have one length. */
function keyOf(rate: Rate, { rule }: Decision, input: AccessRequest): string {
  const parts = (rate.by ?? ['user']).map((key) => COUNTED[key](input));
  return hashSecret(JSON.stringify([rule?.id, rate.requests, rate.per, ...parts]));
}

/**
 * Somebody without a device, or a stream without a path, is counted with all others like that. Of IPv6 a network of 64 bits
 * is one address: whoever has one has all of it.
 */
const COUNTED: Readonly<Record<RateKey, (input: AccessRequest) => readonly (string | undefined)[]>> = {
  user: ({ subject }) => ['user', subject.id],
  device: ({ device }) => ['device', device?.id],
  app: ({ target }) => ['app', target.app],
  route: ({ target }) => ['route', target.app, target.method, target.path],
  address: ({ network }) => ['address', networkOf(network.address)],
};

function exceeded({ decision, policy }: Ruling, rate: Rate, now: number, wait: number): Ruling {
  const { rule } = decision;
  const refused: Decision = {
    verdict: 'deny',
    reason: 'rate-limited',
    ...(rule === undefined ? {} : { rule }),
  };
  const unmet = {
    criterion: 'rate',
    code: 'rate-limited',
    need: `at most ${rate.requests} in ${rate.per / 1000} s for each ${(rate.by ?? ['user']).join(' and ')}`,
    have: String(rate.requests + 1),
  };
  const nearest = [{ rule: rule?.id ?? '', effect: 'allow' as const, unmet: [unmet], met: [] }];
  const remedy = { kind: 'wait-until', at: now + wait } as const;
  const explanation = { decision: refused, nearest, remedy, entitled: true };
  return { decision: refused, policy, explanation, retryAfter: Math.max(1, Math.ceil(wait / 1000)) };
}
