// Measurements in turns, and what is said of several: one after the other within a round, so that what else the machine
// does falls on all of them alike.
import { median } from '../report.ts';
import type { Measured } from './measure.ts';

export type Turns<Name extends string> = Readonly<Record<Name, readonly Measured[]>>;

/** Measures each target once a round. */
export async function inTurns<Name extends string>(
  names: readonly Name[],
  rounds: number,
  one: (name: Name) => Promise<Measured>,
): Promise<Turns<Name>> {
  const taken = Object.fromEntries(names.map((name) => [name, [] as Measured[]])) as Record<Name, Measured[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) taken[name].push(await one(name));
  }
  return taken;
}

/** The median of the ratios of each round. */
export function ratio(
  ours: readonly Measured[],
  theirs: readonly Measured[],
  of: (one: Measured) => number,
  ofTheirs: (one: Measured) => number = of,
): number {
  return median(ours.map((one, round) => of(one) / ofTheirs(theirs[round] as Measured)));
}

/** The median over the rounds. */
export const mid = (taken: readonly Measured[], of: (one: Measured) => number): number =>
  median(taken.map(of));

export const rps = ({ rps: value }: Measured): number => value;

/** CPU microseconds a request of one part. */
export const cpu =
  (part: string) =>
  ({ cpuUs }: Measured): number =>
    cpuUs[part] ?? Number.NaN;
