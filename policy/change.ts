// What could be done about a denial, each thing as a change of the request: asking somebody, waiting, showing a device,
// signing in again; and all of it in the order of what it costs a person.
import type { CriterionName } from './criteria/criteria.ts';
import { edgesAfter } from './criteria/hours.ts';
import type { Remedy } from './decision.ts';
import type { AppRules } from './evaluate.ts';
import { isInstant } from './facts.ts';
import { type AccessRequest, type Device, GOOD_POSTURE, type Login } from './input.ts';
import { type Box, wantedBy } from './rule.ts';

const MINUTE = 60_000;
/** Nobody waits longer than this for a rule to come into force. */
const LONGEST_WAIT = 366 * 24 * 60 * MINUTE;
/** The criteria that each kind of change can turn. */
const TURNS = {
  ask: ['ticket', 'approval'],
  way: ['connectorPosture'],
  wait: ['hours', 'validity'],
  device: ['posture', 'quote', 'firmware'],
  login: ['mfa', 'acr', 'amr', 'phishing'],
} as const satisfies Readonly<Record<string, readonly CriterionName[]>>;
/** No change turns any other. A scan gets older while somebody waits. */
export const TURNED: ReadonlySet<CriterionName> = new Set([...Object.values(TURNS).flat(), 'scan']);

/** A change to the request, and what it costs the person; the sum of costs orders the combinations. */
export interface Change {
  readonly cost: number;
  readonly remedy: Remedy;
  apply(request: AccessRequest): AccessRequest;
}

/** Changes of one request beside waiting, in the order in which they are made: a wait comes between the two. */
interface Combination {
  readonly before: readonly Change[];
  readonly after: readonly Change[];
  readonly cost: number;
}

/** Ask somebody, have the way mended, enrol or mend the device, sign in again: one of each or none; cheapest first. */
function combine(boxes: readonly Box[], rules: AppRules, request: AccessRequest): Combination[] {
  const asked = new Set(boxes.flatMap(wantedBy));
  const isUser = request.subject.kind === 'user';
  const turns = (kind: keyof typeof TURNS): boolean => TURNS[kind].some((name) => asked.has(name));
  const obliged = rules.allow.some(({ decision: { obligations } }) => obligations !== undefined);
  const mending = request.device === undefined ? [] : [mendDevice];
  const before = product(turns('ask') ? [requestAccess] : [], turns('way') ? [mendConnector] : []);
  const after = product(
    turns('device') && isUser ? [enrolDevice, ...mending] : [],
    (turns('login') || obliged) && isUser ? stepUps(boxes) : [],
  );
  return before
    .flatMap((one) => after.map((other) => ({ before: one, after: other, cost: cost(one) + cost(other) })))
    .sort((a, b) => a.cost - b.cost);
}

function product(some: readonly Change[], others: readonly Change[]): Change[][] {
  const withSome = [[], ...some.map((one) => [one])];
  return withSome.flatMap((first) => [first, ...others.map((other) => [...first, other])]);
}

function cost(changes: readonly Change[]): number {
  return changes.reduce((sum, change) => sum + change.cost, 0);
}

/** Everything that may be tried, the cheapest first: that is no change at all. */
export function* attempts(rules: AppRules, request: AccessRequest): Generator<readonly Change[]> {
  const boxes = boxesOf(rules);
  const combinations = combine(boxes, rules, request);
  const waits = [undefined, ...waitsFor(boxes, request)];
  // How many waits each combination has been tried with; without one counts.
  const tried = combinations.map(() => 0);
  for (;;) {
    let next: { index: number; cost: number } | undefined;
    for (const [index, combination] of combinations.entries()) {
      const at = tried[index] ?? 0;
      if (at === waits.length) continue;
      const total = combination.cost + (waits[at]?.cost ?? 0);
      if (next === undefined || total < next.cost) next = { index, cost: total };
    }
    const chosen = combinations[next?.index ?? -1];
    if (next === undefined || chosen === undefined) return;
    const wait = waits[tried[next.index] ?? 0];
    tried[next.index] = (tried[next.index] ?? 0) + 1;
    yield [...chosen.before, ...(wait === undefined ? [] : [wait]), ...chosen.after];
  }
}

/** Signing in again: plainly, with a key, or at a level or by a method that a rule names. */
function stepUps(boxes: readonly Box[]): Change[] {
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

/** What enrolling (again) proves. A boot state, baseline or firmware known to be wrong stays wrong. */
const enrolDevice: Change = {
  cost: 3,
  remedy: { kind: 'enrol-device' },
  apply(request) {
    const proved = { attested: true, sameBoot: true, hardwareKey: true, quotedAt: request.at };
    const enrolled: Device = { id: 'enrolled', ...GOOD_POSTURE, ...request.device, ...proved };
    return { ...request, device: enrolled };
  },
};

/** What is known to be wrong with a known device is put right, and proved anew. */
const mendDevice: Change = {
  cost: 5,
  remedy: { kind: 'mend-device' },
  apply(request) {
    const mended: Device = { ...GOOD_POSTURE, id: request.device?.id ?? 'mended', quotedAt: request.at };
    return { ...request, device: mended };
  },
};

/** Some connector proves that it is as the rules ask. */
const mendConnector: Change = {
  cost: 8,
  remedy: { kind: 'mend-connector' },
  apply(request) {
    const { at, connector } = request;
    return { ...request, connector: { ...GOOD_POSTURE, name: connector?.name ?? 'mended', quotedAt: at } };
  },
};

const requestAccess: Change = {
  cost: 10,
  remedy: { kind: 'request-access' },
  apply: (request) => ({ ...request, approved: true, ticket: 'open' }),
};

/** The instants at which a rule's hours open or close next, or a rule comes into or goes out of force. */
function waitsFor(boxes: readonly Box[], { at }: AccessRequest): Change[] {
  if (!isInstant(at)) return [];
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
export function boxesOf(rules: AppRules): Box[] {
  return [...rules.allow, ...rules.deny].flatMap((rule) => [...rule.boxes(), ...rule.unless]);
}
