// What one fault run hands to the runner that prints it.

export interface FaultOptions {
  /** One line to stderr while it runs. */
  readonly progress: (line: string) => void;
}

export interface FaultReport {
  /** For people. */
  readonly table: string;
  /** Units in the key. */
  readonly figures: Readonly<Record<string, number>>;
  /** Whether the promise held: the exit code of the run. */
  readonly held: boolean;
  readonly versions?: Readonly<Record<string, string>>;
}
