// The faults that can be rehearsed: how each begins and ends, what must be seen meanwhile, and when it would do harm.
// Nothing that is kept is touched: a gateway that is killed in the middle of a drill starts without it.
import type { PolicyFile } from '#gateway/access/policy-file';
import type { Accepts } from '#gateway/edge/accepts';
import { LoginError, type Provider } from '#gateway/identity/providers';
import type { FileCertificate } from '#gateway/pki/file-certificate';
import type { Rehearsable } from '#gateway/state/rehearsal';
import type { SteadyClock } from '#gateway/state/steady-clock';
import type { Tunnels } from '#gateway/tunnel/tunnels';
import type { Outbox } from '#siem/outbox/outbox';
import type { Recorder } from '#siem/recorder';
import type { Shipping } from '#siem/ship/shipping';
import type { Decided, DrillFault, DrillWish, Finding, Rehearsal } from './rehearsal.ts';

export interface RehearsalParts {
  readonly state: Rehearsable;
  readonly clock: SteadyClock;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly shipping: Shipping;
  readonly outbox: Outbox;
  readonly recorder: Recorder;
  readonly policy: PolicyFile;
  readonly tunnels: Tunnels;
  readonly accepts: Accepts;
  /** What people see; undefined if it is of our own authority. */
  readonly certificate: FileCertificate | undefined;
  ailments(): readonly string[];
}

type Rehearse = (parts: RehearsalParts, wish: DrillWish) => Rehearsal;

/** Milliseconds by which sinks and connectors, which come back with pauses of up to 30 s, must be back. */
const WITH_PAUSES = 60_000;
/** By which the clock is set back, in milliseconds. */
const SET_BACK = 5 * 60_000;
const BROKEN_POLICY = 'version: 1\nrules: [{ id: drill, allow: everything, who: everybody }\n';

/** The state does not answer: leases carry who is in the middle of something, for 25 s at most. */
const state: Rehearse = ({ state: store, ailments }) => ({
  begin: () => store.silence(),
  look: () => [told('the gateway says that the state does not answer', ailments(), /shared state/)],
  end: () => store.speak(),
});

/** Identity providers cannot be reached: who is signed in goes on, who signs in is told. */
const idp: Rehearse = ({ providers }) => {
  const ask = async (): Promise<string[]> => Promise.all([...providers.values()].map(signInAt));
  const wrong = async (): Promise<string | undefined> => (await ask()).find((one) => !one.endsWith(': ok'));
  const cutOff = (yes: boolean): void => {
    for (const provider of providers.values()) provider.cutOff(yes);
  };
  return {
    unfit: async () => found('an identity provider is not well as it is: ', await wrong()),
    begin: () => cutOff(true),
    look: async (decided) => {
      const seen = await ask();
      return [
        {
          required: 'a sign-in is answered with 503, and says why',
          seen: seen.join(', '),
          held: seen.every((one) => one.endsWith(': 503 provider-unreachable')),
        },
        wentOn(decided),
      ];
    },
    end: () => cutOff(false),
    ailing: wrong,
  };
};

/** No sink takes events: they wait in the outbox, and are delivered afterwards. */
const siem: Rehearse = ({ shipping, outbox, recorder }) => {
  const ill = (): string[] =>
    shipping
      .standings()
      .filter(({ healthy }) => !healthy)
      .map(({ name }) => name);
  let mark = 0;
  return {
    unfit: () => {
      const { bytes, quotaBytes } = outbox.standing;
      if (shipping.standings().length === 0) return 'the configuration has no sinks';
      if (bytes > quotaBytes / 2) return 'the outbox is more than half full';
      return found('sinks do not take events as it is: ', ill().join(', ') || undefined);
    },
    begin: () => shipping.withhold(true),
    look: (decided) => {
      const standings = shipping.standings();
      mark = outbox.standing.sequence;
      return [
        {
          required: 'events wait in the outbox',
          seen: standings.map(({ name, lagBytes }) => `${name}: ${lagBytes} bytes`).join(', '),
          held: standings.every(({ lagBytes, healthy }) => lagBytes > 0 && !healthy),
        },
        {
          required: 'and are recorded all the same',
          seen: recorder.healthy ? `${mark} records` : 'events cannot be recorded',
          held: recorder.healthy,
        },
        wentOn(decided),
      ];
    },
    end: () => shipping.withhold(false),
    ailing: () => {
      const late = shipping.standings().find(({ healthy, lagSeconds }) => !healthy || lagSeconds > 1);
      return late === undefined ? undefined : `${late.name} still lacks ${late.lagBytes} bytes`;
    },
    recovery: WITH_PAUSES,
  };
};

/** A connector is drained and kept away: what it carries finishes, and the next request goes another way. */
const connector: Rehearse = ({ tunnels, accepts }, { connector: name = '', alone = false }) => {
  const served = tunnels.connectors().filter((one) => one.connector === name);
  const apps = [...new Set(served.flatMap((one) => one.apps))];
  const lonely = apps.filter((app) => !tunnels.servedWithout(app, name));
  return {
    unfit: () => {
      if (name === '') return 'which connector? Name it with --connector';
      if (served.length === 0 && !tunnels.linked) return `there is no tunnel of a connector "${name}" here`;
      if (lonely.length === 0 || alone) return undefined;
      return `nobody else serves ${lonely.join(', ')}: requests for it would fail. With --alone it is done all the same`;
    },
    begin: () => {
      accepts.hold(name);
      tunnels.rest(name);
    },
    look: () => {
      const left = tunnels.connectors().filter((one) => one.connector === name && one.streams === 0).length;
      const reached = apps.filter((app) => tunnels.available(app));
      return [
        {
          required: `${name} is gone, but for what it still carries`,
          seen: `${left} tunnels`,
          held: left === 0,
        },
        {
          required: 'apps that others serve are reached',
          seen: `${reached.length} of ${apps.length}: ${reached.join(', ') || 'none'}`,
          held: apps.every((app) => lonely.includes(app) || reached.includes(app)),
        },
      ];
    },
    end: () => accepts.release(name),
    ailing: () => {
      // It may have gone to another gateway, which relays.
      const back = tunnels.linked || tunnels.connectors().some((one) => one.connector === name);
      return back && apps.every((app) => tunnels.available(app)) ? undefined : `${name} is not back yet`;
    },
    recovery: WITH_PAUSES,
  };
};

/** The machine's clock is set back: nothing that has ended lives again, and it says so. */
const clock: Rehearse = ({ clock: steady, ailments }) => {
  const from = steady.now();
  return {
    begin: () => steady.pretend(-SET_BACK),
    look: (decided) => [
      told('the gateway says that the clock was set back', ailments(), /clock was set back/),
      {
        required: 'its own time goes on',
        seen: `${steady.now() - from} ms on`,
        held: steady.now() >= from,
      },
      wentOn(decided),
    ],
    end: () => steady.pretend(0),
  };
};

/** Nothing can be recorded: nothing is allowed. */
const disk: Rehearse = ({ outbox, ailments }) => ({
  begin: () => outbox.pretendFull(true),
  look: ({ allowed, failed }) => [
    told('the gateway says that it cannot record', ailments(), /cannot be recorded/),
    {
      required: 'nothing is allowed',
      seen: `${allowed} allowed, ${failed} answered with 503`,
      held: allowed === 0,
    },
  ],
  end: () => outbox.pretendFull(false),
});

/** A policy is offered that is none: the one in force stays. */
const policy: Rehearse = ({ policy: file }) => {
  const { hash } = file.current;
  let problems: readonly string[] = [];
  return {
    begin: async () => {
      problems = await file.rehearse(BROKEN_POLICY);
    },
    look: (decided) => [
      {
        required: 'the document is refused, and it is said why',
        seen: problems[0] ?? 'it was taken up',
        held: problems.length > 0,
      },
      {
        required: 'the policy in force stays',
        seen: file.current.hash === hash ? 'the same' : file.current.hash,
        held: file.current.hash === hash,
      },
      wentOn(decided),
    ],
    // What was offered in earnest meanwhile.
    end: () => void file.reload(),
  };
};

/** The certificate that people see comes to its end: it is warned of, and its files are good to be taken up. */
const certificate: Rehearse = ({ certificate: files }) => {
  let warned: readonly number[] = [];
  return {
    unfit: () =>
      files === undefined
        ? 'the certificate for people is of the gateway’s own authority, which renews it by itself'
        : undefined,
    begin: () => {
      warned = files?.rehearse() ?? [];
    },
    look: () => [
      {
        required: 'it is warned of 30 days, 7 days and a day before its end',
        seen: `${warned.join(', ')} days; in truth it ends on ${new Date(files?.current.notAfter ?? 0).toISOString().slice(0, 10)}`,
        held: warned.join() === '30,7,1',
      },
      {
        required: 'what is in its files can be taken up',
        seen: files?.unusable() ?? 'it can',
        held: files?.unusable() === undefined,
      },
    ],
    end: () => undefined,
  };
};

export const REHEARSALS: Readonly<Record<DrillFault, Rehearse>> = {
  ...{ state, idp, siem, connector, clock, disk, policy, certificate },
};

function told(required: string, ailments: readonly string[], what: RegExp): Finding {
  const seen = ailments.find((one) => what.test(one));
  return { required, seen: seen ?? 'it says nothing', held: seen !== undefined };
}

function wentOn({ allowed, denied, failed }: Decided): Finding {
  return {
    required: 'requests are decided as ever',
    seen: `${allowed} allowed, ${denied} denied, ${failed} could not be decided`,
    held: failed === 0,
  };
}

function found(words: string, what: string | undefined): string | undefined {
  return what === undefined ? undefined : `${words}${what}`;
}

async function signInAt(provider: Provider): Promise<string> {
  const { id } = provider.config;
  try {
    await provider.begin();
    return `${id}: ok`;
  } catch (error) {
    if (!(error instanceof LoginError)) throw error;
    return `${id}: ${error.status} ${error.code}`;
  }
}
