// What a drill is asked for, what rehearsing one fault takes, and what is seen of it.

/** What must be seen while a fault is rehearsed, and what was. */
export interface Finding {
  readonly required: string;
  readonly seen: string;
  readonly held: boolean;
}

/** One fault, to be rehearsed once. */
export interface Rehearsal {
  /** Why this is no time for it. */
  unfit?(): string | undefined | Promise<string | undefined>;
  begin(): unknown;
  /** Asked right before the end, with what was decided since the beginning. */
  look(decided: Decided): readonly Finding[] | Promise<readonly Finding[]>;
  /** Must not throw. */
  end(): void;
  /** What is not as it was before. */
  ailing?(): string | undefined | Promise<string | undefined>;
  /** Milliseconds after the end within which all must be as before; ten seconds if left out. */
  readonly recovery?: number;
}

/** Decisions, and requests that could not be decided. */
export interface Decided {
  readonly allowed: number;
  readonly denied: number;
  readonly failed: number;
}

export interface DrillWish {
  readonly fault: DrillFault;
  readonly seconds: number;
  /** For `connector`: which one, and whether also if nobody else serves its apps. */
  readonly connector?: string | undefined;
  readonly alone?: boolean | undefined;
}

export const DRILLS = [
  'state',
  'idp',
  'siem',
  'connector',
  'clock',
  'disk',
  'policy',
  'certificate',
] as const;
export type DrillFault = (typeof DRILLS)[number];
