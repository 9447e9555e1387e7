// What is known of the machine that runs a connector, as facts for policy. It counts for the certificate over which the
// machine attested, and for no other that bears the same name. A machine that was well and falls silent is told of.
import type { Appraisal } from '#gateway/attest/appraisal';
import type { CarryingConnector } from '#gateway/tunnel/relay';
import type { Connector } from '#policy/input';
import { Recent } from './recent.ts';

export interface ConnectorStandingParts {
  /** The attestation result that counts now, if there is one. */
  posture(connector: CarryingConnector): Promise<Appraisal | undefined>;
  /** Its last result has run out, without another one and without an admin's doing. Once for each time. */
  onSilent(connector: CarryingConnector, device: string): void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds; `performance.now` if absent. */
  readonly clock?: () => number;
}

/** Certificates of which the last result is remembered; when there are more, all are forgotten. */
const MAX_REMEMBERED = 10_000;

export class ConnectorStandings {
  readonly #parts: ConnectorStandingParts;
  readonly #recent: Recent<Appraisal | undefined>;
  /** By certificate: the last result that counted. */
  readonly #last = new Map<string, Appraisal>();

  constructor(parts: ConnectorStandingParts) {
    this.#parts = parts;
    this.#recent = new Recent(parts.clock ?? (() => performance.now()));
  }

  /** A machine attested, or an admin changed one: the next question is asked of the store. */
  changed(): void {
    this.#recent.clear();
  }

  /** The name alone, of one that has not attested or may not any more. */
  async of(connector: CarryingConnector): Promise<Connector> {
    const { name, key } = connector;
    const appraisal = await this.#recent.get(`${key} ${name}`, () => this.#parts.posture(connector));
    if (appraisal === undefined || appraisal.expiresAt <= this.#parts.now()) {
      this.#missed(connector);
      return { name };
    }
    if (this.#last.size >= MAX_REMEMBERED) this.#last.clear();
    this.#last.set(key, appraisal);
    const { id: device, ...posture } = appraisal.facts;
    return { name, device, ...posture };
  }

  /** The device that was last found to be the machine behind a certificate's key. */
  machine(key: string): string | undefined {
    return this.#last.get(key)?.device;
  }

  #missed(connector: CarryingConnector): void {
    const last = this.#last.get(connector.key);
    if (last === undefined) return;
    this.#last.delete(connector.key);
    // What goes before its time was taken away, and that has an event of its own; so has what was not well.
    const early = last.expiresAt > this.#parts.now();
    if (!early && last.status !== 'contraindicated') this.#parts.onSilent(connector, last.device);
  }
}
