// Finds rules that do nothing: never fire, are covered by another rule, or were never hit by a test or by
// traffic. Removing a rule that is reported as shadowed or redundant must change no decision.
import { isDeepStrictEqual } from 'node:util';
import { edgesAfter } from '../criteria/hours.ts';
import { matches } from '../evaluate.ts';
import { Facts } from '../facts.ts';
import type { AccessRequest } from '../input.ts';
import { compareBurden, isFulfilledWith } from '../obligations.ts';
import type { Policy } from '../policy.ts';
import type { Box, Rule } from '../rule.ts';
import { ruleCovers } from './cover.ts';

/** Stable codes of what can be found. */
export type FindingCode = 'never-fires' | 'shadowed' | 'redundant' | 'expired' | 'not-hit';

export interface Finding {
  readonly code: FindingCode;
  readonly rule: string;
  /** The rule that makes this one needless. */
  readonly by?: string;
  readonly message: string;
}

export interface LintOptions {
  /** Epoch milliseconds; rules that ended before it are reported. */
  readonly now?: number;
  /** Rules that tests or traffic hit; all others are reported. */
  readonly hit?: ReadonlySet<string>;
}

const MINUTE = 60_000;
const A_WEEK = 7 * 24 * 60 * MINUTE;

export function lint(policy: Policy, { now, hit }: LintOptions = {}): Finding[] {
  return policy.compiled.rules.flatMap((rule) => {
    const found = needless(policy, rule);
    if (found !== undefined) return [found];
    const { validity } = rule.base;
    if (now !== undefined && validity !== null && validity.below <= now) {
      const message = `ended ${new Date(validity.below).toISOString()}`;
      return [{ code: 'expired' as const, rule: rule.id, message }];
    }
    if (hit === undefined || hit.has(rule.id)) return [];
    return [{ code: 'not-hit' as const, rule: rule.id, message: 'no test or recorded request matches it' }];
  });
}

/** Ids of all rules, shadow rules too, that match a request. */
export function rulesHit(policy: Policy, request: AccessRequest): string[] {
  const rules = policy.compiled.byApp.get(request.target.app);
  if (rules === undefined) return [];
  const facts = new Facts(request, policy.prepare(request.subject).selectors);
  return [...rules.deny, ...rules.allow, ...rules.shadow]
    .filter((rule) => matches(rule, facts))
    .map(({ id }) => id);
}

function needless(policy: Policy, rule: Rule): Finding | undefined {
  if (rule.boxes().every(neverComes)) {
    const message = 'its hours never come between `from` and `until`';
    return { code: 'never-fires', rule: rule.id, message };
  }
  const coveredBy = (find: (other: Rule) => boolean): string | undefined => {
    const by = rule.apps.map((app) => {
      const { deny = [], allow = [] } = policy.compiled.byApp.get(app) ?? {};
      return [...deny, ...allow].find((other) => other !== rule && find(other) && ruleCovers(other, rule))
        ?.id;
    });
    return by.includes(undefined) ? undefined : [...new Set(by)].join(', ');
  };
  if (rule.effect === 'allow') {
    const shadowing = coveredBy((other) => other.effect === 'deny');
    if (shadowing !== undefined) {
      return {
        code: 'shadowed',
        rule: rule.id,
        by: shadowing,
        message: `every request it allows is denied by ${shadowing}`,
      };
    }
  }
  const covering = coveredBy((other) => other.effect === rule.effect && isPreferred(other, rule));
  if (covering === undefined) return undefined;
  return {
    code: 'redundant',
    rule: rule.id,
    by: covering,
    message: `${covering} ${rule.effect === 'allow' ? 'allows' : 'denies'} all of it`,
  };
}

/** Whether what `other` decides is at least as good as what `rule` decides. Of twins only one is needless. */
function isPreferred(other: Rule, rule: Rule): boolean {
  const [theirs, ours] = [other.decision.obligations, rule.decision.obligations];
  const burden = compareBurden(other.burden, rule.burden);
  if (burden !== 0) return burden < 0 && isFulfilledWith(theirs, ours);
  if (!isDeepStrictEqual(theirs, ours)) return false;
  return !ruleCovers(rule, other) || other.id < rule.id;
}

/** A validity too short for any of the hours that the box also asks for. */
function neverComes({ validity, hours }: Box): boolean {
  if (validity === null || hours === null) return false;
  const { atLeast, below } = validity;
  if (atLeast < 0 || !(below - atLeast <= A_WEEK)) return false;
  return hours.every((one) => {
    const { instants, exact } = edgesAfter(one, atLeast);
    const open = [atLeast, ...instants].filter((at) => at >= atLeast && at < below);
    return exact && !open.some((at) => one.week.has(one.clock.minuteOfWeek(at)));
  });
}
