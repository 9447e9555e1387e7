// The smallest change that would turn a denial into an allow: changes are tried from small to large by deciding
// again with them, so that nobody is ever told to do something that would not help. Whoever is denied makes us do this:
// what no change can turn is not tried, and what is left has a bound.
import { attempts, boxesOf, type Change, TURNED } from './change.ts';
import { CRITERIA, type CriterionName } from './criteria/criteria.ts';
import type { Criterion } from './criteria/criterion.ts';
import { selects } from './criteria/who.ts';
import type { Remedy } from './decision.ts';
import { type AppRules, decideFor, matches } from './evaluate.ts';
import { Facts } from './facts.ts';
import type { AccessRequest } from './input.ts';
import type { Policy } from './policy.ts';
import { type Box, type Rule, wantedBy } from './rule.ts';
import type { Truth } from './truth.ts';

/** Rules that do not name the person, of which membership is considered. */
const MAX_MEMBERSHIPS = 5;
/** Rules asked for one remedy, a few milliseconds; of a rule book with more ways than that, the cheap ones are tried. */
const MAX_ASKED = 20_000;

interface Search {
  readonly rules: AppRules;
  readonly request: AccessRequest;
  /** Rules that may still be asked. */
  left: number;
}

/** The cheapest combination of changes that `policy` would allow, or `none`. */
export function findRemedy(policy: Policy, rules: AppRules, request: AccessRequest): Remedy {
  const asking = policy.prepare(request.subject).selectors;
  const search: Search = { rules, request, left: MAX_ASKED };
  const remedy = cheapest(search, asking);
  if (remedy !== undefined) return remedy;
  const strangers = rules.allow.filter(({ base }) => base.who !== null && !selects(base.who, asking));
  for (const rule of strangers.slice(0, MAX_MEMBERSHIPS)) {
    const after = cheapest(search, withMembership(rule, asking));
    if (after !== undefined) {
      const same = after.kind === 'none' || after.kind === 'request-access';
      return same ? { kind: 'request-access' } : { kind: 'request-access', next: after };
    }
  }
  return { kind: 'none' };
}

/** With these memberships; undefined if nothing that is tried helps. */
function cheapest(search: Search, selectors: Uint32Array): Remedy | undefined {
  const { rules, request } = search;
  const facts = new Facts(request, selectors);
  const open = within(rules, facts);
  if (open === undefined) return undefined;
  for (const changes of attempts(open, request)) {
    search.left -= open.allow.length + open.deny.length;
    if (search.left < 0) return undefined;
    facts.load(
      changes.reduce((current, change) => change.apply(current), request),
      selectors,
    );
    if (decideFor(open, facts).verdict === 'allow') return chain(changes, rules);
  }
  return undefined;
}

/**
 * The rules that could match after some change: all they want that no change turns, they have. Undefined if none of them
 * allows, or one denies whatever is changed.
 */
function within(rules: AppRules, facts: Facts): AppRules | undefined {
  const isFixed = (name: CriterionName): boolean => !TURNED.has(name);
  const isMet = (box: Box, name: CriterionName, needed: Truth): boolean =>
    (CRITERIA[name] as Criterion<unknown>).truth(box[name], facts) >= needed;
  const could = ({ needed, base, when }: Rule): boolean =>
    [[base], when].every(
      (boxes) =>
        boxes.length === 0 ||
        boxes.some((box) => wantedBy(box).every((name) => !isFixed(name) || isMet(box, name, needed))),
    );
  const isFinal = ({ base, when, unless }: Rule): boolean =>
    [base, ...when, ...unless].every((box) => wantedBy(box).every(isFixed));
  const allow = rules.allow.filter(could);
  const deny = rules.deny.filter(could);
  if (allow.length === 0 || deny.some((rule) => isFinal(rule) && matches(rule, facts))) return undefined;
  return { ...rules, allow, deny };
}

/** The changes one after the other, in the order in which they are to be made. */
function chain(changes: readonly Change[], rules: AppRules): Remedy {
  return changes.reduceRight<Remedy>(
    (next, { remedy }) => {
      const own = remedy.kind === 'step-up' ? withMaxAge(remedy, rules) : remedy;
      return next.kind === 'none' ? own : { ...own, next };
    },
    { kind: 'none' },
  );
}

/** The strictest age of a login that a rule of the app asks: a login fresh enough for that is for all. */
function withMaxAge(remedy: Remedy & { kind: 'step-up' }, rules: AppRules): Remedy {
  const asked = boxesOf(rules).map(({ mfa }) => mfa ?? undefined);
  const obliged = rules.allow.map(({ decision }) => decision.obligations?.stepUp?.mfa);
  const ages = [...asked, ...obliged].filter((age) => age !== undefined);
  return ages.length === 0 ? remedy : { ...remedy, maxAge: Math.min(...ages) };
}

function withMembership({ base }: Rule, selectors: Uint32Array): Uint32Array {
  const joined = selectors.slice();
  const { word, mask } = base.who ?? { word: 0, mask: 0 };
  joined[word] = (joined[word] ?? 0) | mask;
  return joined;
}
