// Counts and gauges in Prometheus' text format. Names and labels are fixed: nothing a client sends becomes one.

export interface Gauges {
  readonly connectors: number;
  readonly tunnels: number;
  readonly openExchanges: number;
  readonly recording: boolean;
}

export class Metrics {
  readonly #decisions = { allow: 0, deny: 0 };
  readonly #exchanges = { issued: 0, refused: 0 };
  #refused = 0;
  #failed = 0;

  /** So far. */
  get counts(): { readonly allow: number; readonly deny: number; readonly failed: number } {
    return { ...this.#decisions, failed: this.#failed };
  }

  decided(verdict: 'allow' | 'deny'): void {
    this.#decisions[verdict] += 1;
  }

  /** Turned away before a decision: by the strict front, or for want of a session. */
  refused(): void {
    this.#refused += 1;
  }

  /** Asked for a token to act in somebody's name. */
  exchanged(result: 'issued' | 'refused'): void {
    this.#exchanges[result] += 1;
  }

  /** Could not be decided or recorded, and so was not let through. */
  failed(): void {
    this.#failed += 1;
  }

  text(gauges: Gauges): string {
    return [
      family('sallyport_decisions_total', 'counter', 'Access decisions by verdict.', [
        ['{verdict="allow"}', this.#decisions.allow],
        ['{verdict="deny"}', this.#decisions.deny],
      ]),
      family('sallyport_refused_total', 'counter', 'Requests refused before a decision.', [
        ['', this.#refused],
      ]),
      family('sallyport_token_exchanges_total', 'counter', 'Requests for tokens in a person’s name.', [
        ['{result="issued"}', this.#exchanges.issued],
        ['{result="refused"}', this.#exchanges.refused],
      ]),
      family('sallyport_failed_total', 'counter', 'Requests that could not be decided or recorded.', [
        ['', this.#failed],
      ]),
      family('sallyport_connectors', 'gauge', 'Connected connectors.', [['', gauges.connectors]]),
      family('sallyport_tunnels', 'gauge', 'Tunnels of all connectors.', [['', gauges.tunnels]]),
      family('sallyport_open_exchanges', 'gauge', 'Exchanges under way.', [['', gauges.openExchanges]]),
      family('sallyport_recording', 'gauge', '1 while events can be recorded; at 0 nothing is allowed.', [
        ['', gauges.recording ? 1 : 0],
      ]),
      family('process_resident_memory_bytes', 'gauge', 'Resident memory.', [['', process.memoryUsage.rss()]]),
      family('process_cpu_seconds_total', 'counter', 'User and system CPU time.', [['', cpuSeconds()]]),
    ].join('');
  }
}

function family(
  name: string,
  type: string,
  help: string,
  samples: readonly (readonly [string, number])[],
): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
