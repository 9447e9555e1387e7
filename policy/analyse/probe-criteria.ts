// How each criterion is satisfied, and how it is then just missed: one entry per criterion.
import type { CriterionName, Wants } from '../criteria/criteria.ts';
import { SEVERITIES } from '../criteria/cve.ts';
import { edgesAfter } from '../criteria/hours.ts';
import { POSTURE } from '../facts.ts';
import type { AccessRequest, Connector, Device, KeyOrigin, Login, Subject, Workload } from '../input.ts';
import { WEEK_MINUTES } from '../time/zone.ts';

const MINUTE = 60_000;
/** Somebody whom no rule names. */
export const ELSEWHERE: Subject = { kind: 'user', id: 'nobody-in-particular', groups: [], roles: [] };

/** A request that is still being put together. */
export type Draft = { -readonly [K in keyof AccessRequest]: AccessRequest[K] };

/** How each criterion is satisfied, and how it is then just missed. */
export type Probe<W> = {
  meet(want: W, draft: Draft): void;
  miss(want: W): readonly ((draft: Draft) => void)[];
};

export const PROBES: { readonly [N in CriterionName]: Probe<Wants[N]> } = {
  validity: {
    meet({ atLeast, below }, draft) {
      draft.at = Number.isFinite(atLeast) ? atLeast : Math.min(draft.at, below - MINUTE);
    },
    miss: ({ atLeast, below }) =>
      [atLeast - 1, below - 1, below].filter(Number.isFinite).map((at) => (draft) => {
        draft.at = at;
      }),
  },
  hours: {
    meet([first], draft) {
      if (first === undefined) return;
      const candidates = [draft.at, ...edgesAfter(first, draft.at).instants.sort((a, b) => a - b)];
      draft.at = candidates.find((at) => first.week.has(first.clock.minuteOfWeek(at))) ?? draft.at;
    },
    miss: (hours) =>
      hours.flatMap(({ week, clock }) =>
        week.edges().map((edge) => (draft: Draft) => {
          const ahead = (edge - clock.minuteOfWeek(draft.at) + WEEK_MINUTES) % WEEK_MINUTES;
          draft.at += ahead * MINUTE;
        }),
      ),
  },
  who: {
    meet({ names, directory }, draft) {
      draft.subject = directory.exampleOf(names[0] ?? 'everyone');
    },
    miss: ({ names, directory }) => [
      (draft) => {
        draft.subject = ELSEWHERE;
      },
      ...names.slice(1).map((name) => (draft: Draft) => {
        draft.subject = directory.exampleOf(name);
      }),
    ],
  },
  protocol: {
    meet(want, draft) {
      const { app } = draft.target;
      draft.target = want === 'tcp' ? { app, protocol: 'tcp' } : { ...draft.target, protocol: 'http' };
    },
    miss: (want) => [
      (draft) => {
        const { app } = draft.target;
        draft.target =
          want === 'http' ? { app, protocol: 'tcp' } : { app, protocol: 'http', method: 'GET', path: '/' };
      },
    ],
  },
  methods: {
    meet: (want, draft) => setTarget(draft, { method: [...want][0] ?? 'GET' }),
    miss: () =>
      ['GET', 'POST', 'DELETE', 'PROPFIND'].map((method) => (draft) => setTarget(draft, { method })),
  },
  paths: {
    meet: ([first], draft) => setTarget(draft, { path: examplePath(first?.text ?? '/') }),
    miss: (want) => [
      ...want.map(
        ({ text }) =>
          (draft: Draft) =>
            setTarget(draft, { path: examplePath(text) }),
      ),
      ...want.map(
        ({ text }) =>
          (draft: Draft) =>
            setTarget(draft, { path: `${examplePath(text)}/below` }),
      ),
      (draft) => setTarget(draft, { path: '/elsewhere' }),
    ],
  },
  posture: {
    meet({ yes, no }, draft) {
      for (const [claim, bit] of Object.entries(POSTURE)) {
        if (((yes | no) & bit) !== 0) setDevice(draft, { [claim]: (yes & bit) !== 0 });
      }
    },
    miss: ({ yes, no }) =>
      Object.entries(POSTURE)
        .filter(([, bit]) => ((yes | no) & bit) !== 0)
        .map(
          ([claim, bit]) =>
            (draft) =>
              setDevice(draft, { [claim]: (yes & bit) === 0 }),
        ),
  },
  connectorPosture: {
    meet({ yes, no, firmware, quote }, draft) {
      for (const [claim, bit] of Object.entries(POSTURE)) {
        if (((yes | no) & bit) !== 0) setConnector(draft, { [claim]: (yes & bit) !== 0 });
      }
      if (firmware !== undefined) setConnector(draft, { firmware });
      if (quote !== undefined) setConnector(draft, { quotedAt: draft.at - quote });
    },
    miss: ({ yes, no, firmware, quote }) => [
      ...Object.entries(POSTURE)
        .filter(([, bit]) => ((yes | no) & bit) !== 0)
        .map(
          ([claim, bit]) =>
            (draft: Draft) =>
              setConnector(draft, { [claim]: (yes & bit) === 0 }),
        ),
      ...(firmware === undefined ? [] : [(draft: Draft) => setConnector(draft, { firmware: '0' })]),
      ...(quote === undefined
        ? []
        : [
            (draft: Draft) => setConnector(draft, { quotedAt: draft.at - quote - 1 }),
            (draft: Draft) => setConnector(draft, { quotedAt: draft.at }),
          ]),
      (draft) => {
        delete draft.connector;
      },
    ],
  },
  firmware: {
    meet: (firmware, draft) => setDevice(draft, { firmware }),
    miss: () => [(draft) => setDevice(draft, { firmware: '0' })],
  },
  quote: aged((draft, quotedAt) => setDevice(draft, { quotedAt })),
  mfa: aged((draft, mfaAt) => setLogin(draft, { mfaAt })),
  scan: aged((draft, scannedAt) => setWorkload(draft, { scannedAt })),
  phishing: {
    meet: (_want, draft) => setLogin(draft, { amr: ['hwk'] }),
    miss: () => [(draft) => setLogin(draft, { amr: ['pwd'], acr: 'none' })],
  },
  amr: {
    meet: (want, draft) => setLogin(draft, { amr: [...(draft.login?.amr ?? []), ...want] }),
    miss: () => [(draft) => setLogin(draft, { amr: [] })],
  },
  acr: oneOf((draft, acr) => setLogin(draft, { acr }), 'none'),
  provider: oneOf((draft, provider) => setLogin(draft, { provider }), 'another'),
  network: {
    meet: ({ ranges }, draft) => setNetwork(draft, { address: ranges.edges()[0] ?? '192.0.2.1' }),
    miss: ({ ranges }) => [
      ...ranges.edges().map((address) => (draft: Draft) => setNetwork(draft, { address })),
      (draft) => setNetwork(draft, { address: '192.0.2.1' }),
    ],
  },
  country: oneOf((draft, country) => setNetwork(draft, { country }), 'ZZ'),
  asn: oneOf((draft, asn) => setNetwork(draft, { asn }), 0),
  feed: {
    meet: (want, draft) =>
      setNetwork(draft, { feeds: want === 'none' ? [] : want === 'any' ? ['any'] : [...want] }),
    miss: (want) => [(draft) => setNetwork(draft, { feeds: want === 'none' ? ['any'] : [] })],
  },
  risk: {
    meet({ atLeast, below }, draft) {
      draft.risk = Number.isFinite(atLeast) ? atLeast : Math.max(0, below - 1);
    },
    miss: ({ atLeast, below }) =>
      [atLeast - 1, below]
        .filter((risk) => risk >= 0 && risk <= 100)
        .map((risk) => (draft) => {
          draft.risk = risk;
        }),
  },
  key: {
    meet: (want, draft) => setKey(draft, want),
    miss: (want) => [(draft) => setKey(draft, want === 'tpm' ? 'file' : 'tpm')],
  },
  ticket: {
    meet(want, draft) {
      draft.ticket = want.has('open') ? 'open' : 'none';
    },
    miss: (want) => [
      (draft) => {
        draft.ticket = want.has('open') ? 'none' : 'open';
      },
    ],
  },
  approval: {
    meet(want, draft) {
      draft.approved = want;
    },
    miss: (want) => [
      (draft) => {
        draft.approved = !want;
      },
    ],
  },
  signedBy: oneOf((draft, signer) => setWorkload(draft, { signedBy: [signer] }), 'nobody'),
  provenance: oneOf((draft, builder) => setWorkload(draft, { provenance: [builder] }), 'nobody'),
  cve: {
    meet: ({ atLeast }, draft) => setSeverity(draft, atLeast),
    miss: ({ atLeast, below }) => [atLeast - 1, below].map((level) => (draft) => setSeverity(draft, level)),
  },
};

function aged(set: (draft: Draft, then: number) => void): Probe<number> {
  return {
    meet: (want, draft) => set(draft, draft.at - want),
    miss: (want) => [(draft) => set(draft, draft.at - want - 1), (draft) => set(draft, draft.at)],
  };
}

function oneOf<T>(set: (draft: Draft, value: T) => void, other: T): Probe<ReadonlySet<T>> {
  return {
    meet(want, draft) {
      for (const value of want) {
        set(draft, value);
        return;
      }
    },
    miss: (want) => [...[...want].slice(1), other].map((value) => (draft: Draft) => set(draft, value)),
  };
}

function examplePath(pattern: string): string {
  return pattern.replace(/\{[^}]*\}|\*\*|\*/g, 'x');
}

function setTarget(draft: Draft, change: { method?: string; path?: string }): void {
  draft.target = { ...draft.target, ...change };
}

function setKey(draft: Draft, key: KeyOrigin): void {
  draft.subject = { ...draft.subject, key };
}

function setLogin(draft: Draft, change: Partial<Login>): void {
  draft.login = { provider: 'idp', at: draft.at, ...draft.login, ...change };
}

function setDevice(draft: Draft, change: Partial<Device>): void {
  draft.device = { id: 'probe', ...draft.device, ...change };
}

function setConnector(draft: Draft, change: Partial<Connector>): void {
  draft.connector = { name: 'probe', ...draft.connector, ...change };
}

function setWorkload(draft: Draft, change: Partial<Workload>): void {
  draft.workload = { ...draft.workload, ...change };
}

function setNetwork(draft: Draft, change: Partial<AccessRequest['network']>): void {
  draft.network = { ...draft.network, ...change };
}

function setSeverity(draft: Draft, level: number): void {
  const worstCve = SEVERITIES[level];
  if (worstCve !== undefined) setWorkload(draft, { worstCve });
}
