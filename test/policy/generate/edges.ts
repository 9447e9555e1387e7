// The edges of what one rule asks: its ages and instants to the millisecond, and those of every kind of fact.
import type { Connector, Device, Login, Workload } from '#policy/input';
import { milliseconds } from '../reference/facts.ts';
import { many, type WrittenCondition, type WrittenPolicy, type WrittenRule } from '../reference/written.ts';
import {
  connectorEdges,
  deviceEdges,
  type Edge,
  loginEdges,
  networkEdges,
  stateEdges,
  subjectEdges,
  targetEdges,
  workloadEdges,
} from './fact-edges.ts';
import { INSTANTS } from './policies.ts';
import { type Draft, openingOf, pick, setLogin, windowsOf } from './satisfy.ts';

const around = (value: number): number[] => [value - 1, value, value + 1];

/** Lists of edges, one list for each fact; asked facts get the edges of what is asked. */
export function edgesOf(
  rule: WrittenRule,
  conditions: readonly WrittenCondition[],
  policy: WrittenPolicy,
): Edge[][] {
  const ages = conditions.flatMap(({ mfa }) => many(mfa)).map(milliseconds);
  const devices = conditions.map(({ device }) =>
    typeof device === 'string' ? policy.devices?.[device] : device,
  );
  const workloads = conditions.map(({ workload }) =>
    typeof workload === 'string' ? policy.workloads?.[workload] : workload,
  );
  const connectors = conditions.map(({ connector }) =>
    typeof connector === 'string' ? policy.devices?.[connector] : connector,
  );
  const quotes = devices.flatMap((device) => many(device?.quotedWithin)).map(milliseconds);
  const connectorQuotes = connectors.flatMap((one) => many(one?.quotedWithin)).map(milliseconds);
  const scans = workloads.flatMap((workload) => many(workload?.scannedWithin)).map(milliseconds);
  const then =
    (elapsed: readonly number[]): ((at: number) => (number | undefined)[]) =>
    (at) => [...elapsed.flatMap((one) => around(at - one)), ...around(at + 60_000), undefined, Number.NaN];
  return [
    instantEdges(rule, conditions, policy),
    valueEdges(then(ages), (draft, mfaAt) => setLogin(draft, { mfaAt } as Partial<Login>)),
    valueEdges(then(quotes), (draft, quotedAt) => {
      draft.device = { id: 'd', ...draft.device, quotedAt } as Device;
    }),
    valueEdges(then(connectorQuotes), (draft, quotedAt) => {
      draft.connector = { name: 'c', ...draft.connector, quotedAt } as Connector;
    }),
    valueEdges(then(scans), (draft, scannedAt) => {
      draft.workload = { ...draft.workload, scannedAt } as Workload;
    }),
    subjectEdges(policy),
    targetEdges(),
    deviceEdges(),
    connectorEdges(),
    loginEdges(),
    networkEdges(),
    stateEdges(),
    workloadEdges(),
  ].filter((edges) => edges.length > 0);
}

function valueEdges<T>(values: (at: number) => readonly T[], set: (draft: Draft, value: T) => void): Edge[] {
  return values(0).map((_, index) => (draft) => set(draft, pick(values(draft.at), index)));
}

function instantEdges(
  rule: WrittenRule,
  conditions: readonly WrittenCondition[],
  policy: WrittenPolicy,
): Edge[] {
  const fixed = [rule.from, rule.until, ...INSTANTS].flatMap((text) =>
    text === undefined ? [] : around(Date.parse(text)),
  );
  const windows = conditions.flatMap(({ hours }) => (hours === undefined ? [] : windowsOf(hours, policy)));
  const atWindows = windows.flatMap((window): Edge[] =>
    [0, 3, 160, 236].flatMap((days) =>
      ['from', 'to'].flatMap((end) =>
        [-1, 0, 60_000].map(
          (offset): Edge =>
            (draft) => {
              const time = end === 'to' && window.to !== '24:00' ? window.to : window.from;
              const near = Date.UTC(2026, 2, 1) + days * 86_400_000;
              draft.at = openingOf({ ...window, from: time }, policy, near) + offset;
            },
        ),
      ),
    ),
  );
  const odd = [Number.NaN, -1, 0, 8.64e15 + 1, Date.UTC(10_000, 0, 1) - 1, Date.UTC(10_000, 0, 1)].map(
    (at): Edge =>
      (draft) => {
        draft.at = at;
      },
  );
  return [
    ...fixed.map(
      (at): Edge =>
        (draft) => {
          draft.at = at;
        },
    ),
    ...atWindows,
    ...atWindows,
    ...odd,
  ];
}
