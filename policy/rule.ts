// A compiled rule: boxes of criteria and the verdict it gives. Every rule and box has the same shape, so that the
// evaluator stays one short piece of machine code.
import { CRITERION_NAMES, type CriterionName, type Wants } from './criteria/criteria.ts';
import type { Decision, Obligations, RuleRef } from './decision.ts';
import { type Burden, burdenOf, LACKS, type Lack } from './obligations.ts';
import { TO_ALLOW, TO_DENY, type Truth } from './truth.ts';

/** A conjunction of independent criteria; null is no criterion. */
export class Box {
  readonly who: Wants['who'] | null;
  readonly protocol: Wants['protocol'] | null;
  readonly methods: Wants['methods'] | null;
  readonly posture: Wants['posture'] | null;
  readonly connectorPosture: Wants['connectorPosture'] | null;
  readonly key: Wants['key'] | null;
  readonly ticket: Wants['ticket'] | null;
  readonly approval: Wants['approval'] | null;
  readonly risk: Wants['risk'] | null;
  readonly validity: Wants['validity'] | null;
  readonly mfa: Wants['mfa'] | null;
  readonly quote: Wants['quote'] | null;
  readonly scan: Wants['scan'] | null;
  readonly cve: Wants['cve'] | null;
  readonly country: Wants['country'] | null;
  readonly asn: Wants['asn'] | null;
  readonly provider: Wants['provider'] | null;
  readonly acr: Wants['acr'] | null;
  readonly amr: Wants['amr'] | null;
  readonly phishing: Wants['phishing'] | null;
  readonly feed: Wants['feed'] | null;
  readonly signedBy: Wants['signedBy'] | null;
  readonly provenance: Wants['provenance'] | null;
  readonly firmware: Wants['firmware'] | null;
  readonly hours: Wants['hours'] | null;
  readonly paths: Wants['paths'] | null;
  readonly network: Wants['network'] | null;

  constructor(wants: Partial<Wants>) {
    this.who = wants.who ?? null;
    this.protocol = wants.protocol ?? null;
    this.methods = wants.methods ?? null;
    this.posture = wants.posture ?? null;
    this.connectorPosture = wants.connectorPosture ?? null;
    this.key = wants.key ?? null;
    this.ticket = wants.ticket ?? null;
    this.approval = wants.approval ?? null;
    this.risk = wants.risk ?? null;
    this.validity = wants.validity ?? null;
    this.mfa = wants.mfa ?? null;
    this.quote = wants.quote ?? null;
    this.scan = wants.scan ?? null;
    this.cve = wants.cve ?? null;
    this.country = wants.country ?? null;
    this.asn = wants.asn ?? null;
    this.provider = wants.provider ?? null;
    this.acr = wants.acr ?? null;
    this.amr = wants.amr ?? null;
    this.phishing = wants.phishing ?? null;
    this.feed = wants.feed ?? null;
    this.signedBy = wants.signedBy ?? null;
    this.provenance = wants.provenance ?? null;
    this.firmware = wants.firmware ?? null;
    this.hours = wants.hours ?? null;
    this.paths = wants.paths ?? null;
    this.network = wants.network ?? null;
  }

  /** This box and another one at once. Where both want something, `other` counts: rules never do that. */
  and(other: Box): Box {
    const wants: Record<string, unknown> = {};
    for (const name of Object.keys(this) as CriterionName[]) wants[name] = other[name] ?? this[name];
    return new Box(wants as Partial<Wants>);
  }
}

/** The criteria that a box has, in the order of the table. */
export function wantedBy(box: Box): CriterionName[] {
  return CRITERION_NAMES.filter((name) => box[name] !== null);
}

/** Everything a rule is made of. */
export interface RuleParts {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly shadow: boolean;
  readonly apps: readonly string[];
  /** Subject, target and validity. */
  readonly base: Box;
  /** Alternatives, of which one must pass; empty asks nothing. */
  readonly when: readonly Box[];
  /** Alternatives that each lift the rule. */
  readonly unless: readonly Box[];
  readonly because?: string | undefined;
  readonly obligations?: Obligations | undefined;
}

export class Rule {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly shadow: boolean;
  readonly apps: readonly string[];
  readonly base: Box;
  readonly when: readonly Box[];
  readonly unless: readonly Box[];
  /** The truth each criterion must reach for the rule to match. */
  readonly needed: Truth;
  /** What the rule says when it decides: frozen, shared by all requests. */
  readonly decision: Decision;
  /** What it says when it would allow and the request lacks something it asks; likewise frozen and shared. */
  readonly refusals: Readonly<Record<Lack, Decision>> | undefined;
  readonly burden: Burden;

  constructor(parts: RuleParts) {
    const { id, effect, shadow, apps, base, when, unless, because, obligations } = parts;
    const [only] = when;
    const single = when.length === 1 && only !== undefined;
    this.id = id;
    this.effect = effect;
    this.shadow = shadow;
    this.apps = apps;
    this.base = single ? base.and(only) : base;
    this.when = single ? [] : when;
    this.unless = unless;
    this.needed = effect === 'allow' ? TO_ALLOW : TO_DENY;
    const ref = Object.freeze({ id, ...(because === undefined ? {} : { because }) });
    this.decision = Object.freeze({
      verdict: effect,
      reason: effect === 'allow' ? 'allowed' : 'denied-by-rule',
      rule: ref,
      ...(obligations === undefined ? {} : { obligations: Object.freeze(obligations) }),
    });
    this.refusals = obligations === undefined ? undefined : refusalsOf(ref);
    this.burden = burdenOf(obligations);
  }

  /** The rule as alternatives that each stand alone; `unless` applies to all of them. */
  boxes(): readonly Box[] {
    return this.when.length === 0 ? [this.base] : this.when.map((box) => this.base.and(box));
  }
}

function refusalsOf(rule: RuleRef): Readonly<Record<Lack, Decision>> {
  const refusal = (reason: Lack): [Lack, Decision] => [
    reason,
    Object.freeze({ verdict: 'deny', reason, rule }),
  ];
  return Object.fromEntries(LACKS.map(refusal)) as Record<Lack, Decision>;
}
