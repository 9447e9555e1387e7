// What is known of the machine that runs a connector, as facts for policy. It counts for the certificate over which the
// machine attested, and for no other that bears the same name.
import type { Appraisal } from '#gateway/attest/appraisal';
import type { CarryingConnector } from '#gateway/tunnel/relay';
import type { Connector } from '#policy/input';
import { Recent } from './recent.ts';

export class ConnectorStandings {
  readonly #posture: (connector: CarryingConnector) => Promise<Appraisal | undefined>;
  readonly #now: () => number;
  readonly #recent: Recent<Appraisal | undefined>;

  /** `posture`: the attestation result that counts now, if there is one. `clock`: monotonic milliseconds. */
  constructor(
    posture: (connector: CarryingConnector) => Promise<Appraisal | undefined>,
    now: () => number,
    clock: () => number = () => performance.now(),
  ) {
    this.#posture = posture;
    this.#now = now;
    this.#recent = new Recent(clock);
  }

  /** A machine attested, or an admin changed one: the next question is asked of the store. */
  changed(): void {
    this.#recent.clear();
  }

  /** The name alone, of one that has not attested or may not any more. */
  async of(connector: CarryingConnector): Promise<Connector> {
    const { name, key } = connector;
    const appraisal = await this.#recent.get(`${key} ${name}`, () => this.#posture(connector));
    if (appraisal === undefined || appraisal.expiresAt <= this.#now()) return { name };
    const { id: device, ...posture } = appraisal.facts;
    return { name, device, ...posture };
  }
}
