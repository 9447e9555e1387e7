// What a refused person may know: one plain sentence, the checks they can do something about, and the way on.
// Never a rule's id, a group's name, or that an app exists which no rule opens to them.
import type { StandingReason } from '#gateway/context/standing';
import type { Explanation, Remedy, Unmet } from '#policy/decision';

export interface Check {
  readonly met: boolean;
  readonly text: string;
  readonly criterion: string;
  /** What was found of the device, rather than what is asked for. */
  readonly found?: boolean;
}

export interface Denial {
  readonly title: string;
  readonly sentence: string;
  readonly checks: readonly Check[];
  readonly action?: { readonly label: string; readonly href: string };
  readonly remedy: Remedy['kind'];
  /** What to do, one after the other; empty where the sentence says it all. */
  readonly steps: readonly string[];
  /** Epoch milliseconds, for `wait-until`. */
  readonly at?: number;
  readonly reference: string;
}

/** Criteria a person can do something about, in their words. Others stay between policy and admin. */
const PLAIN: Readonly<Record<string, { readonly met: string; readonly unmet: string }>> = {
  who: {
    met: 'You belong to a group this app is open to',
    unmet: 'membership in a group this app is open to',
  },
  mfa: { met: 'You used a second factor recently', unmet: 'a recent sign-in with a second factor' },
  amr: { met: 'You signed in in a way this app accepts', unmet: 'a stronger way of signing in' },
  acr: {
    met: 'You signed in at the level this app asks for',
    unmet: 'a sign-in at a higher assurance level',
  },
  provider: {
    met: 'You used an accepted identity provider',
    unmet: 'a sign-in with another identity provider',
  },
  hours: { met: 'The app is open at this time', unmet: 'the app is closed at this time' },
  from: { met: 'Your access has begun', unmet: 'your access has not begun yet' },
  until: { met: 'Your access has not run out', unmet: 'your access has run out' },
  device: { met: 'Your device is known and healthy', unmet: 'a known and healthy device' },
  'device.quotedWithin': {
    met: 'Your device proved its state recently',
    unmet: 'a recent proof of your device’s state',
  },
  'device.firmware': { met: 'Your device’s firmware is new enough', unmet: 'newer firmware on your device' },
  connector: {
    met: 'The way to this app has proved its state',
    unmet: 'a way to this app that has proved its state',
  },
  network: { met: 'You are on an accepted network', unmet: 'a network this app accepts' },
  country: { met: 'Your location is accepted', unmet: 'a location this app accepts' },
  methods: { met: 'This kind of action is open to you', unmet: 'permission for this kind of action' },
  paths: { met: 'This part of the app is open to you', unmet: 'permission for this part of the app' },
  key: { met: 'The key is where it should be', unmet: 'a key that is where it should be' },
  ticket: { met: 'You have an open ticket', unmet: 'an open ticket for this work' },
  approval: { met: 'Your access was approved', unmet: 'an approval' },
  rate: { met: 'You have not asked too often', unmet: 'fewer requests: you have reached the limit for now' },
  risk: { met: 'Nothing unusual was noticed', unmet: 'your recent activity looks unusual' },
};

export interface DenialContext {
  readonly explanation: Explanation;
  readonly appName: string;
  readonly reference: string;
  /** Where a sign-in with a second factor begins for this page. */
  readonly stepUpHref: string;
  /** Where a browser shows its device for this page. */
  readonly bindHref: string;
  /** Why no more is known of the device. */
  readonly device: readonly StandingReason[];
}

export function denialOf(context: DenialContext): Denial {
  const { explanation, appName, reference } = context;
  if (!explanation.entitled) {
    return {
      title: 'Access denied',
      sentence: 'This address is not available to you. If you think it should be, ask your administrator.',
      checks: [],
      remedy: 'none',
      steps: [],
      reference,
    };
  }
  const tooOften = explanation.decision.reason === 'rate-limited';
  const because = tooOften ? tooMany(appName) : explanation.decision.rule?.because;
  const nearest = explanation.nearest.find(({ effect }) => effect === 'allow');
  const { remedy } = explanation;
  const unmet = (nearest?.unmet ?? []).map(({ criterion }) => criterion);
  const found = unmet.some((criterion) => DEVICE_CRITERIA.has(criterion)) ? context.device : [];
  const action = actionFor(remedy, found, context);
  return {
    title: 'Access denied',
    sentence: because ?? sentenceFor(remedy, appName),
    checks: [
      ...unmet.flatMap((criterion) => plain(criterion, false)),
      ...found.map(({ message, code }) => ({ met: false, text: message, criterion: code, found: true })),
      ...(nearest?.met ?? []).flatMap((criterion) => plain(criterion, true)),
    ],
    ...(action === undefined ? {} : { action }),
    ...(remedy.kind === 'wait-until' ? { at: remedy.at } : {}),
    remedy: remedy.kind,
    steps: stepsOf(remedy, found),
    reference,
  };
}

const DEVICE_CRITERIA: ReadonlySet<string> = new Set(['device', 'device.quotedWithin', 'device.firmware']);
const ENROL = 'Ask your administrator for a token, then run `sallyport device enrol` on this device.';
const MEND_CONNECTOR =
  'Tell your administrator, quoting the reference below: a connector of this app has to prove its state again.';
const OR_ENROL = `If this device is not enrolled yet: ${ENROL}`;

/** One button, for the first step that one can begin here. */
function actionFor(
  remedy: Remedy,
  found: readonly StandingReason[],
  { stepUpHref, bindHref }: DenialContext,
): Denial['action'] {
  if (remedy.kind === 'step-up') return { label: 'Sign in with a second factor', href: stepUpHref };
  const device = remedy.kind === 'enrol-device' || remedy.kind === 'mend-device';
  return device && found.some(({ bind }) => bind === true)
    ? { label: 'Show which device this is', href: bindHref }
    : undefined;
}

/** The whole way to an allow. One plain step is in the sentence already. */
function stepsOf(remedy: Remedy, found: readonly StandingReason[]): string[] {
  const steps: string[] = [];
  for (let one: Remedy | undefined = remedy; one !== undefined; one = 'next' in one ? one.next : undefined) {
    steps.push(...stepFor(one, found));
  }
  return steps.length === 1 && found.length === 0 ? [] : [...new Set(steps)];
}

function stepFor(remedy: Remedy, found: readonly StandingReason[]): string[] {
  switch (remedy.kind) {
    case 'step-up':
      return ['Sign in again with a second factor.'];
    case 'enrol-device':
    case 'mend-device': {
      const mend = found.map((reason) => reason.remedy);
      const unknown = found.length === 0 || found.some(({ code }) => code === 'not-bound');
      return unknown ? [...mend, mend.length === 0 ? ENROL : OR_ENROL] : mend;
    }
    case 'mend-connector':
      return [MEND_CONNECTOR];
    case 'wait-until':
      return [`Wait until ${new Date(remedy.at).toUTCString()}.`];
    case 'request-access':
      return ['Ask your administrator for access, quoting the reference below.'];
    case 'none':
      return [];
  }
}

function plain(criterion: Unmet['criterion'], met: boolean): Denial['checks'] {
  const words = PLAIN[criterion];
  return words === undefined ? [] : [{ met, criterion, text: met ? words.met : words.unmet }];
}

function tooMany(app: string): string {
  return `You have asked more of ${app} than its rules allow in this time. Wait a little, then try again.`;
}

function sentenceFor(remedy: Remedy, app: string): string {
  switch (remedy.kind) {
    case 'step-up':
      return `${app} asks for a fresh sign-in with a second factor. Do that and you are in.`;
    case 'enrol-device':
      return `${app} can only be used from a device your organisation knows. Show which device this is, or enrol it, then try again.`;
    case 'mend-device':
      return `${app} asks for more than your device shows at the moment. Below is what was found, and what mends it.`;
    case 'mend-connector':
      return `${app} can only be reached through a connector that has proved its state, and none has at the moment. There is nothing wrong with your access. ${MEND_CONNECTOR}`;
    case 'wait-until':
      return `${app} is closed to you at this time. It opens ${new Date(remedy.at).toUTCString()}.`;
    case 'request-access':
      return `You may not do this in ${app}. Ask your administrator for access, quoting the reference below.`;
    case 'none':
      return `You may not do this in ${app}, and there is nothing you can change about that yourself.`;
  }
}

/** The same for a program. */
export function denialJson(denial: Denial): Record<string, unknown> {
  return {
    error: 'access-denied',
    message: denial.sentence,
    missing: denial.checks
      .filter(({ met }) => !met)
      .map(({ criterion, text }) => ({ criterion, message: text })),
    remedy: {
      kind: denial.remedy,
      ...(denial.action === undefined ? {} : { url: denial.action.href }),
      ...(denial.at === undefined ? {} : { at: new Date(denial.at).toISOString() }),
      ...(denial.steps.length === 0 ? {} : { steps: denial.steps }),
    },
    reference: denial.reference,
  };
}
