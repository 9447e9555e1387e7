// The policy in force: a pure function of the request it is given; anything that goes wrong inside it is a deny.
import type { Compiled } from './compile.ts';
import type { Decision, Explanation } from './decision.ts';
import { decideFor, ERROR, NO_RULE_FOR_APP } from './evaluate.ts';
import { explain } from './explain.ts';
import { Facts } from './facts.ts';
import type { AccessRequest, Subject } from './input.ts';
import type { Policy, PreparedSubject } from './policy.ts';
import { ShadowVerdicts } from './shadow.ts';

export function createPolicy(compiled: Compiled, hash: string): Policy {
  return new CompiledPolicy(compiled, hash);
}

class CompiledPolicy implements Policy {
  readonly hash: string;
  readonly apps: readonly string[];
  readonly compiled: Compiled;
  readonly #shadow: ShadowVerdicts = new ShadowVerdicts();
  /** Reused by every decision: deciding is synchronous and never enters itself. */
  #facts: Facts | undefined;

  constructor(compiled: Compiled, hash: string) {
    this.compiled = compiled;
    this.hash = hash;
    this.apps = compiled.apps;
  }

  prepare(subject: Subject): PreparedSubject {
    return { subject, selectors: this.compiled.directory.selectorsOf(subject), policy: this };
  }

  decide(request: AccessRequest, subject: PreparedSubject, spent?: ReadonlySet<string>): Decision {
    try {
      return this.#decide(request, subject, spent);
    } catch {
      return ERROR;
    }
  }

  explain(request: AccessRequest): Explanation {
    return explain(this, request);
  }

  asksConnector(app: string): boolean {
    return this.compiled.byApp.get(app)?.asksConnector === true;
  }

  #decide(request: AccessRequest, prepared: PreparedSubject, spent?: ReadonlySet<string>): Decision {
    const rules = this.compiled.byApp.get(request.target.app);
    if (rules === undefined) return NO_RULE_FOR_APP;
    const facts = this.#load(request, this.#selectors(request, prepared));
    const decision = decideFor(rules, facts, spent);
    return rules.shadow.length === 0 ? decision : this.#shadow.of(decision, rules, facts);
  }

  /** Memberships resolved by another policy, or for another subject, say nothing here. */
  #selectors(request: AccessRequest, { policy, subject, selectors }: PreparedSubject): Uint32Array {
    const { subject: asking } = request;
    if (policy === this && (subject === asking || isSame(subject, asking))) return selectors;
    return this.compiled.directory.selectorsOf(asking);
  }

  #load(request: AccessRequest, selectors: Uint32Array): Facts {
    if (this.#facts === undefined) this.#facts = new Facts(request, selectors);
    else this.#facts.load(request, selectors);
    return this.#facts;
  }
}

/** The same somebody; what else is said of them is for whoever prepared the subject to keep up to date. */
function isSame(a: Subject, b: Subject): boolean {
  return a.id === b.id && a.kind === b.kind;
}
