// What one fault run hands to the runner that prints it.

export interface FaultOptions {
  /** One line to stderr while it runs. */
  readonly progress: (line: string) => void;
}

/** One promise, as it was kept. */
export interface Finding {
  readonly required: string;
  readonly measured: string;
  readonly held: boolean;
  /** Units in the key. */
  readonly figures?: Readonly<Record<string, number>>;
}

export interface FaultReport {
  /** For people. */
  readonly table: string;
  /** Units in the key. */
  readonly figures: Readonly<Record<string, number>>;
  /** Whether the promise held: the exit code of the run. */
  readonly held: boolean;
  /** Each fault of several by its name. */
  readonly faults?: Readonly<Record<string, Omit<Finding, 'figures'>>>;
  readonly versions?: Readonly<Record<string, string>>;
}
