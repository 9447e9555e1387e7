// Tells whoever runs a gateway why apps do not answer: people are told only that they do not. In the words of whoever saw
// it, once in a while for each app and connector, and never more of a request than which app it was for.
import { Sparing } from '#gateway/sparing';
import type { Log } from '#siem/log';
import type { RelayResult } from './relay.ts';

export class AppTroubles {
  readonly #log: Pick<Log, 'warn'>;
  readonly #sparing: Sparing;

  constructor(log: Pick<Log, 'warn'>, now: () => number) {
    this.#log = log;
    this.#sparing = new Sparing(now);
  }

  tell(app: string, { outcome, failure, detail, connector }: RelayResult): void {
    if (outcome !== 'failed' || failure === undefined || detail === undefined) return;
    if (!this.#sparing.isDue([app, failure, connector].join(' '))) return;
    const by = connector === undefined ? '' : ` by connector ${connector}`;
    this.#log.warn({ app, code: failure, connector, reason: detail }, `${app}${by}: ${failure}: ${detail}`);
  }
}
