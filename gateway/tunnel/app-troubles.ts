// Tells whoever runs a gateway why apps do not answer: people are told only that they do not. In the words of whoever saw
// it, once in a while for each app and connector, and never more of a request than which app it was for.
import type { Log } from '#siem/log';
import type { RelayResult } from './relay.ts';

/** The same trouble is not told again before this, in milliseconds. */
const PAUSE = 60_000;

export class AppTroubles {
  readonly #log: Pick<Log, 'warn'>;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(log: Pick<Log, 'warn'>, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  tell(app: string, { outcome, failure, detail, connector }: RelayResult): void {
    if (outcome !== 'failed' || failure === undefined || detail === undefined) return;
    const key = [app, failure, connector].join(' ');
    const now = this.#now();
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < PAUSE) return;
    this.#told.set(key, now);
    const by = connector === undefined ? '' : ` by connector ${connector}`;
    this.#log.warn({ app, code: failure, connector, reason: detail }, `${app}${by}: ${failure}: ${detail}`);
  }
}
