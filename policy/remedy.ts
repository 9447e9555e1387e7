// The smallest change that would turn a denial into an allow: changes are tried from small to large by deciding
// again with them, so that nobody is ever told to do something that would not help.

import { edgesAfter } from './criteria/hours.ts';
import { selects } from './criteria/who.ts';
import type { Remedy } from './decision.ts';
import type { AppRules } from './evaluate.ts';
import { isInstant } from './facts.ts';
import type { AccessRequest, Device, Login, Posture } from './input.ts';
import type { Policy } from './policy.ts';
import type { Box, Rule } from './rule.ts';

const MINUTE = 60_000;
/** Nobody waits longer than this for a rule to come into force. */
const LONGEST_WAIT = 366 * 24 * 60 * MINUTE;
/** Rules that do not name the person, of which membership is considered. */
const MAX_MEMBERSHIPS = 5;

/** A change to the request, and what it costs the person; the sum of costs orders the combinations. */
interface Change {
  readonly cost: number;
  readonly remedy: Remedy;
  apply(request: AccessRequest): AccessRequest;
}

const NO_CHANGE: Change = { cost: 0, remedy: { kind: 'none' }, apply: (request) => request };

/** The cheapest combination of changes that `policy` would allow, or `none`. */
export function findRemedy(policy: Policy, rules: AppRules, request: AccessRequest): Remedy {
  const asking = policy.prepare(request.subject).selectors;
  const combinations = combine(rules, request);
  const remedy = firstThatAllows(policy, rules, request, combinations, asking);
  if (remedy !== undefined) return remedy;
  const strangers = rules.allow.filter(({ base }) => base.who !== null && !selects(base.who, asking));
  for (const rule of strangers.slice(0, MAX_MEMBERSHIPS)) {
    const joined = withMembership(rule, asking);
    const after = firstThatAllows(policy, rules, request, [[], ...combinations], joined);
    if (after !== undefined) {
      const same = after.kind === 'none' || after.kind === 'request-access';
      return same ? { kind: 'request-access' } : { kind: 'request-access', next: after };
    }
  }
  return { kind: 'none' };
}

function firstThatAllows(
  policy: Policy,
  rules: AppRules,
  request: AccessRequest,
  combinations: readonly (readonly Change[])[],
  selectors: Uint32Array,
): Remedy | undefined {
  for (const changes of combinations) {
    const changed = changes.reduce((current, change) => change.apply(current), request);
    const decision = policy.decide(changed, { subject: changed.subject, selectors, policy });
    if (decision.verdict === 'allow') return chain(changes, rules);
  }
  return undefined;
}

/** The changes one after the other, in the order in which they are to be made. */
function chain(changes: readonly Change[], rules: AppRules): Remedy {
  return changes.reduceRight<Remedy>(
    (next, { remedy }) => {
      if (remedy.kind === 'none') return next;
      const own = remedy.kind === 'step-up' ? withMaxAge(remedy, rules) : remedy;
      return next.kind === 'none' ? own : { ...own, next };
    },
    { kind: 'none' },
  );
}

/** The strictest age of a login that a rule of the app asks: a login fresh enough for that is for all. */
function withMaxAge(remedy: Remedy & { kind: 'step-up' }, rules: AppRules): Remedy {
  const ages = boxesOf(rules).flatMap(({ mfa }) => (mfa === null ? [] : [mfa]));
  return ages.length === 0 ? remedy : { ...remedy, maxAge: Math.min(...ages) };
}

/** All combinations, cheapest first: ask somebody, have the way mended, wait, enrol or mend the device, sign in again. */
function combine(rules: AppRules, request: AccessRequest): Change[][] {
  const asks = [NO_CHANGE, requestAccess];
  const ways = rules.asksConnector ? [NO_CHANGE, mendConnector] : [NO_CHANGE];
  const waits = [NO_CHANGE, ...waitsFor(rules, request)];
  const mending = request.device === undefined ? [] : [mendDevice];
  const enrolments = request.subject.kind === 'user' ? [NO_CHANGE, enrolDevice, ...mending] : [NO_CHANGE];
  const logins = request.subject.kind === 'user' ? [NO_CHANGE, ...stepUps(rules)] : [NO_CHANGE];
  const own = enrolments.flatMap((enrol) => logins.map((login) => [enrol, login]));
  const all = asks.flatMap((ask) =>
    ways.flatMap((way) => waits.flatMap((wait) => own.map((changes) => [ask, way, wait, ...changes]))),
  );
  const cost = (changes: readonly Change[]): number => changes.reduce((sum, change) => sum + change.cost, 0);
  return all.slice(1).sort((a, b) => cost(a) - cost(b));
}

/** Signing in again: plainly, with a key, or at a level or by a method that a rule names. */
function stepUps(rules: AppRules): Change[] {
  const boxes = boxesOf(rules);
  const acrs = new Set(boxes.flatMap(({ acr }) => [...(acr ?? [])]));
  const amrs = new Set(boxes.flatMap(({ amr }) => [...(amr ?? [])]));
  return [
    stepUp(1, { kind: 'step-up' }, () => ({})),
    ...[...amrs].map((amr) => stepUp(1.1, { kind: 'step-up' }, (login) => withAmr(login, amr))),
    stepUp(1.2, { kind: 'step-up', phishingResistant: true }, (login) => withAmr(login, 'hwk')),
    ...[...acrs].map((acr) => stepUp(1.3, { kind: 'step-up', acr }, () => ({ acr }))),
  ];
}

function stepUp(cost: number, remedy: Remedy, change: (login: Login) => Partial<Login>): Change {
  return {
    cost,
    remedy,
    apply(request) {
      const { login, at } = request;
      return login === undefined
        ? request
        : { ...request, login: { ...login, at, mfaAt: at, ...change(login) } };
    },
  };
}

function withAmr(login: Login, amr: string): Partial<Login> {
  return { amr: [...new Set([...(login.amr ?? []), amr])] };
}

const GOOD: Omit<Posture, 'quotedAt'> = {
  attested: true,
  secureBoot: true,
  baseline: true,
  sameBoot: true,
  hardwareKey: true,
  firmware: '999999999',
};

/** What enrolling (again) proves. A boot state, baseline or firmware known to be wrong stays wrong. */
const enrolDevice: Change = {
  cost: 3,
  remedy: { kind: 'enrol-device' },
  apply(request) {
    const proved = { attested: true, sameBoot: true, hardwareKey: true, quotedAt: request.at };
    const enrolled: Device = { id: 'enrolled', ...GOOD, ...request.device, ...proved };
    return { ...request, device: enrolled };
  },
};

/** What is known to be wrong with a known device is put right, and proved anew. */
const mendDevice: Change = {
  cost: 5,
  remedy: { kind: 'mend-device' },
  apply(request) {
    const mended: Device = { ...GOOD, id: request.device?.id ?? 'mended', quotedAt: request.at };
    return { ...request, device: mended };
  },
};

/** Some connector proves that it is as the rules ask. */
const mendConnector: Change = {
  cost: 8,
  remedy: { kind: 'mend-connector' },
  apply(request) {
    const { at, connector } = request;
    return { ...request, connector: { ...GOOD, name: connector?.name ?? 'mended', quotedAt: at } };
  },
};

const requestAccess: Change = {
  cost: 10,
  remedy: { kind: 'request-access' },
  apply: (request) => ({ ...request, approved: true, ticket: 'open' }),
};

/** The instants at which a rule's hours open or close next, or a rule comes into or goes out of force. */
function waitsFor(rules: AppRules, { at }: AccessRequest): Change[] {
  if (!isInstant(at)) return [];
  const boxes = boxesOf(rules);
  const edges = boxes.flatMap(({ validity }) =>
    validity === null ? [] : [validity.atLeast, validity.below],
  );
  const openings = boxes.flatMap(({ hours }) => (hours ?? []).flatMap((one) => edgesAfter(one, at).instants));
  const instants = [...new Set([...edges, ...openings])]
    .filter((instant) => instant > at && instant - at <= LONGEST_WAIT)
    .sort((a, b) => a - b);
  return instants.map((instant, index) => ({
    cost: 6 + index / 1000,
    remedy: { kind: 'wait-until', at: instant },
    apply: (request) => ({ ...request, at: instant }),
  }));
}

/** Every box that can keep this app's requests out or let them in. */
function boxesOf(rules: AppRules): Box[] {
  return [...rules.allow, ...rules.deny].flatMap((rule) => [...rule.boxes(), ...rule.unless]);
}

function withMembership({ base }: Rule, selectors: Uint32Array): Uint32Array {
  const joined = selectors.slice();
  const { word, mask } = base.who ?? { word: 0, mask: 0 };
  joined[word] = (joined[word] ?? 0) | mask;
  return joined;
}
