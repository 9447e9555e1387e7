// Who can reach what: for an app, the subjects its allow rules name; for a subject, the apps. Rules that a deny
// always overrides are left out; what remains may still depend on the time, the device or the network.
import { CRITERIA } from '../criteria/criteria.ts';
import { Facts } from '../facts.ts';
import type { AccessRequest, Subject } from '../input.ts';
import type { Policy } from '../policy.ts';
import type { Rule } from '../rule.ts';
import { MET } from '../truth.ts';
import { ruleCovers } from './cover.ts';
import { describeConditions } from './wording.ts';

/** One way in. */
export interface Way {
  readonly app: string;
  readonly rule: string;
  /** Selectors as the rule names them. */
  readonly who: readonly string[];
  /** Alternatives in words; an empty text asks nothing. */
  readonly conditions: readonly string[];
  /** Deny rules that take away a part of it. */
  readonly except: readonly string[];
}

/** All ways into one app, or undefined when the policy does not know it. */
export function waysInto(policy: Policy, app: string): Way[] | undefined {
  const rules = policy.compiled.byApp.get(app);
  if (rules === undefined) return undefined;
  return rules.allow
    .filter((rule) => isGrant(rule) && !rules.deny.some((deny) => ruleCovers(deny, rule)))
    .map((rule) => way(app, rule, rules.deny));
}

/** All ways that a subject can take, over all apps. */
export function waysOf(policy: Policy, subject: Subject): Way[] {
  const facts = new Facts({ subject, at: 0 } as AccessRequest, policy.prepare(subject).selectors);
  const names = ({ base }: Rule): boolean => base.who === null || CRITERIA.who.truth(base.who, facts) === MET;
  return policy.apps.flatMap((app) => {
    const { allow = [], deny = [] } = policy.compiled.byApp.get(app) ?? {};
    const applying = deny.filter(names);
    return allow
      .filter((rule) => isGrant(rule) && names(rule) && !applying.some((one) => ruleCovers(one, rule, 'who')))
      .map((rule) => way(app, rule, applying));
  });
}

/** What masks answers is not carried out: nobody gets in by it. */
function isGrant({ decision }: Rule): boolean {
  return decision.obligations?.redact === undefined;
}

function way(app: string, rule: Rule, deny: readonly Rule[]): Way {
  return {
    app,
    rule: rule.id,
    who: rule.base.who?.names ?? [],
    conditions: describeConditions(rule),
    except: deny.map(({ id }) => id),
  };
}
