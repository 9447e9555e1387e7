// Requests at the edges of what a policy's rules ask, for comparing two policies: each rule is satisfied as far as
// it can be, then one fact at a time is taken away or moved just past what is asked. The same every time.
import type { CriterionName } from '../criteria/criteria.ts';
import { type AccessRequest, GOOD_POSTURE, INPUT_VERSION, type Subject } from '../input.ts';
import type { Policy } from '../policy.ts';
import type { Box, Rule } from '../rule.ts';
import { type Draft, ELSEWHERE, PROBES, type Probe } from './probe-criteria.ts';

/** A Monday, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 0, 5);

/** All probes for all rules of `policy`, aimed at each app the rule is about. */
export function* probesOf(policy: Policy): Generator<AccessRequest> {
  for (const rule of policy.compiled.rules) {
    for (const app of rule.apps) {
      const { allow = [], deny = [] } = policy.compiled.byApp.get(app) ?? {};
      for (const box of rule.boxes()) {
        yield* around(box, app, policy);
        yield* lackingIn(rule, satisfying(box, app, policy));
        // An allow shows only where denials are lifted, a deny only where something allows.
        const others =
          rule.effect === 'allow'
            ? deny.flatMap(({ unless }) => unless)
            : allow.flatMap((one) => one.boxes());
        for (const other of others) yield* joined(box, other, app, policy);
        for (const lift of rule.unless) yield* around(box.and(lift), app, policy);
      }
    }
  }
}

/** A request that satisfies a box, bare and among friendly facts, and those that just miss it. */
function* around(box: Box, app: string, policy: Policy): Generator<AccessRequest> {
  const base = satisfying(box, app, policy);
  yield base;
  yield satisfying(box, app, policy, {});
  for (const name of Object.keys(PROBES) as CriterionName[]) {
    const want: unknown = box[name];
    if (want === null) continue;
    for (const miss of (PROBES[name] as Probe<unknown>).miss(want)) {
      if (TIMES.includes(name)) {
        yield satisfying(box, app, policy, undefined, miss);
      } else {
        const draft: Draft = structuredClone(base);
        miss(draft);
        yield draft;
      }
    }
  }
}

/** Requests that lack what a rule asks of those it lets in. */
function* lackingIn({ decision }: Rule, { login, ...request }: AccessRequest): Generator<AccessRequest> {
  const { stepUp, readOnly, maxSession } = decision.obligations ?? {};
  const { at, target } = request;
  const signedIn = { provider: 'idp', at, ...login };
  const { acr: _, ...weak } = signedIn;
  if (readOnly === true && target.protocol === 'http')
    yield { ...request, login: signedIn, target: { ...target, method: 'POST' } };
  if (stepUp?.mfa !== undefined) yield { ...request, login: { ...signedIn, mfaAt: at - stepUp.mfa - 1 } };
  if (stepUp?.phishingResistant === true) yield { ...request, login: { ...weak, amr: ['pwd'] } };
  if (maxSession !== undefined) yield { ...request, login: { ...signedIn, at: at - maxSession - 1 } };
}

function* joined(box: Box, other: Box, app: string, policy: Policy): Generator<AccessRequest> {
  const subject = both(box, other);
  yield { ...satisfying(other.and(box), app, policy), subject };
  yield { ...satisfying(box.and(other), app, policy), subject };
}

/** Facts that hardly any rule denies. */
function friendly(at: number): Partial<Draft> {
  const well = { ...GOOD_POSTURE, quotedAt: at };
  return {
    login: { provider: 'idp', at, mfaAt: at, amr: ['hwk'], acr: 'phr' },
    device: { id: 'probe', ...well },
    connector: { name: 'probe', ...well },
    network: { address: '192.0.2.1', country: 'ZZ', asn: 1, feeds: [] },
    risk: 0,
    ticket: 'none',
    approved: false,
    workload: { worstCve: 'none', scannedAt: at },
  };
}

/**
 * Satisfies a box as far as it can be; what the box does not ask is as `facts` say, or friendly. `move` changes the
 * time before anything is dated by it.
 */
function satisfying(
  box: Box,
  app: string,
  policy: Policy,
  facts?: Partial<Draft>,
  move?: (draft: Draft) => void,
): AccessRequest {
  const draft: Draft = {
    version: INPUT_VERSION,
    at: MONDAY,
    subject: policy.compiled.directory.exampleOf('everyone'),
    target: { app, protocol: 'http', method: 'GET', path: '/' },
    network: { address: '192.0.2.1' },
  };
  const meet = (name: CriterionName): void => {
    const want: unknown = box[name];
    if (want !== null) (PROBES[name] as Probe<unknown>).meet(want, draft);
  };
  for (const name of TIMES) meet(name);
  move?.(draft);
  Object.assign(draft, facts ?? friendly(draft.at));
  for (const name of Object.keys(PROBES) as CriterionName[]) if (!TIMES.includes(name)) meet(name);
  return draft;
}

/** Decide when a request happens, from which ages count. */
const TIMES: readonly CriterionName[] = ['validity', 'hours'];

/** Somebody whom both boxes name, as far as one subject can be. */
function both({ who: a }: Box, { who: b }: Box): Subject {
  const [first, second] = [a, b].map((who) => who?.directory.exampleOf(who.names[0] ?? 'everyone'));
  if (first === undefined || second === undefined) return first ?? second ?? ELSEWHERE;
  const subject = first.kind === 'service' || first.id !== 'example' ? first : second;
  const email = first.email ?? second.email;
  return {
    ...subject,
    ...(email === undefined ? {} : { email }),
    groups: [...first.groups, ...second.groups],
    roles: [...first.roles, ...second.roles],
  };
}
