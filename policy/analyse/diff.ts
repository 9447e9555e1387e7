// What changes between two policies: the rules that were written differently, and decisions that come out
// differently for requests at the edges of either. An empty answer is evidence, not proof.
import { isDeepStrictEqual } from 'node:util';
import type { AccessRequest } from '../input.ts';
import type { PolicyDocument } from '../language/document.ts';
import type { Policy } from '../policy.ts';
import { probesOf } from './probes.ts';

/** A document with the policy compiled from it. */
export interface Side {
  readonly document: PolicyDocument;
  readonly policy: Policy;
}

/** Requests that are decided differently in the same way. */
export interface DecisionChange {
  readonly app: string;
  readonly change: 'gains' | 'loses';
  /** The rule that decides, `-` for the default deny. */
  readonly before: string;
  readonly after: string;
  /** Probes that show it. */
  readonly probes: number;
  readonly example: AccessRequest;
}

export interface Difference {
  readonly rules: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** Named things that rules refer to, as `groups.sre`. */
  readonly definitions: readonly string[];
  readonly apps: { readonly added: readonly string[]; readonly removed: readonly string[] };
  readonly decisions: readonly DecisionChange[];
  readonly probes: number;
}

const SECTIONS = ['groups', 'networks', 'devices', 'hours', 'workloads'] as const;

export function diff(before: Side, after: Side): Difference {
  const changes = new Map<string, { -readonly [K in keyof DecisionChange]: DecisionChange[K] }>();
  let probes = 0;
  for (const side of [before, after]) {
    for (const request of probesOf(side.policy)) {
      probes += 1;
      const [was, is] = [before, after].map(({ policy }) =>
        policy.decide(request, policy.prepare(request.subject)),
      );
      if (was === undefined || is === undefined || was.verdict === is.verdict) continue;
      const { app } = request.target;
      const [from, to] = [was.rule?.id ?? '-', is.rule?.id ?? '-'];
      const key = JSON.stringify([app, from, to]);
      const known = changes.get(key);
      if (known !== undefined) known.probes += 1;
      else
        changes.set(key, {
          app,
          change: is.verdict === 'allow' ? 'gains' : 'loses',
          before: from,
          after: to,
          probes: 1,
          example: request,
        });
    }
  }
  return { ...writtenChanges(before.document, after.document), decisions: [...changes.values()], probes };
}

function writtenChanges(
  before: PolicyDocument,
  after: PolicyDocument,
): Omit<Difference, 'decisions' | 'probes'> {
  const [was, is] = [before, after].map(({ rules }) => new Map(rules.map((rule) => [rule.id, rule])));
  const missing = (from: Iterable<string>, inside: { has(name: string): boolean } | undefined): string[] =>
    [...from].filter((name) => inside?.has(name) !== true);
  const changed = [...(is ?? [])].filter(
    ([id, rule]) => was?.has(id) && !isDeepStrictEqual(was.get(id), rule),
  );
  const definitions = SECTIONS.flatMap((section) => {
    const [left, right] = [before[section] ?? {}, after[section] ?? {}] as [
      Record<string, unknown>,
      Record<string, unknown>,
    ];
    const names = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...names]
      .filter((name) => !isDeepStrictEqual(left[name], right[name]))
      .map((name) => `${section}.${name}`);
  });
  if (before.zone !== after.zone) definitions.unshift('zone');
  return {
    rules: {
      added: missing(is?.keys() ?? [], was),
      removed: missing(was?.keys() ?? [], is),
      changed: changed.map(([id]) => id),
    },
    definitions,
    apps: {
      added: missing(after.apps, new Set(before.apps)),
      removed: missing(before.apps, new Set(after.apps)),
    },
  };
}
