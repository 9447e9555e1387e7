// Says every ten seconds that the gateway lives and how it stands: its absence is how a SIEM notices a silent gateway.
import type { SinkStanding } from '#siem/gateway-event';
import type { Log } from '#siem/log';
import type { Outbox } from '#siem/outbox/outbox';
import type { Recorder } from '#siem/recorder';
import type { Shipping } from '#siem/ship/shipping';

const INTERVAL = 10_000;
/** Of the outbox's quota: when more than this waits for a sink, it fills faster than it is emptied. */
const BEHIND = 0.5;

export interface HeartbeatParts {
  readonly recorder: Recorder;
  readonly outbox: Outbox;
  readonly shipping: Shipping;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly now: () => number;
  connectors(): number;
  policyHash(): string;
}

export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #timer: NodeJS.Timeout;
  #sinks: readonly SinkStanding[] = [];

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#beat(), INTERVAL).unref();
  }

  /** Whether, at the last beat, so much waited for a sink that the outbox may fill up. */
  get behind(): boolean {
    const { quotaBytes } = this.#parts.outbox.standing;
    return this.#sinks.some(({ lagBytes }) => lagBytes > quotaBytes * BEHIND);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    const { recorder, outbox, shipping, log, startedAt, now, connectors, policyHash } = this.#parts;
    try {
      this.#sinks = shipping.standings();
      await recorder.record({
        kind: 'heartbeat',
        intervalMs: INTERVAL,
        uptimeMs: now() - startedAt,
        outbox: outbox.standing,
        sinks: this.#sinks,
        connectors: connectors(),
        policyHash: policyHash(),
      });
    } catch (error) {
      // Also where the standings cannot be read, as with too many open files.
      log.error({ err: error }, 'the heartbeat was not recorded');
    }
  }
}
