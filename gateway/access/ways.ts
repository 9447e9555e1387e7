// Decides a request together with the connector that is to carry it, where a rule of its app asks how that connector's
// machine is. Each connector is a request of its own to policy: only those that it allows may carry the bytes.
import type { ConnectorStandings } from '#gateway/context/connector-standing';
import type { LiveSession } from '#gateway/identity/live-session';
import type { TunnelRelays } from '#gateway/tunnel/relay';
import type { AccessRequest } from '#policy/input';
import type { Ruling, Rulings } from './ruling.ts';

/** A ruling, and what was ruled on. */
export interface Way {
  readonly ruling: Ruling;
  readonly input: AccessRequest;
  /** Keys of the connectors this ruling is about; undefined where any may carry the request. */
  readonly only?: ReadonlySet<string>;
}

export class Ways {
  readonly #rulings: Rulings;
  readonly #tunnels: Pick<TunnelRelays, 'serving'>;
  readonly #connectors: ConnectorStandings;

  constructor(rulings: Rulings, tunnels: Pick<TunnelRelays, 'serving'>, connectors: ConnectorStandings) {
    this.#rulings = rulings;
    this.#tunnels = tunnels;
    this.#connectors = connectors;
  }

  /** Rejects when it cannot be found out how the connectors are. */
  rule(session: LiveSession, asked: AccessRequest): Way | Promise<Way> {
    return this.#rulings.asksConnector(asked.target.app)
      ? this.#byConnector(session, asked)
      : { ruling: this.#rulings.rule(session, asked), input: asked };
  }

  /** The same where the rates of some rules are used up; `spent`: their ids. A denial is not explained. */
  without(spent: ReadonlySet<string>, session: LiveSession, asked: AccessRequest): Way | Promise<Way> {
    return this.#rulings.asksConnector(asked.target.app)
      ? this.#byConnector(session, asked, spent)
      : { ruling: this.#rulings.judge(session, asked, spent), input: asked };
  }

  async #byConnector(session: LiveSession, asked: AccessRequest, spent?: ReadonlySet<string>): Promise<Way> {
    const ways = await Promise.all(
      this.#tunnels.serving(asked.target.app).map(async (candidate) => {
        const input: AccessRequest = { ...asked, connector: await this.#connectors.of(candidate) };
        return { key: candidate.key, input, ruling: this.#rulings.judge(session, input, spent) };
      }),
    );
    const allowed = ways.filter(({ ruling }) => ruling.decision.verdict === 'allow');
    const [first] = allowed;
    if (first !== undefined) {
      // Others may be allowed by another rule, which may ask something else of the request.
      const { rule } = first.ruling.decision;
      const alike = allowed.filter(({ ruling }) => ruling.decision.rule?.id === rule?.id);
      return { ruling: first.ruling, input: first.input, only: new Set(alike.map(({ key }) => key)) };
    }
    if (spent !== undefined) return { ruling: this.#rulings.judge(session, asked, spent), input: asked };
    // What is said of a denial is best said of a connector of which something is known.
    const told = ways.find(({ input }) => input.connector?.device !== undefined) ?? ways[0];
    // Without any: what is allowed of an unknown connector is allowed of each, another gateway's as well.
    if (told === undefined) return { ruling: this.#rulings.rule(session, asked), input: asked };
    return { ruling: this.#rulings.reasoned(told.ruling, told.input), input: told.input };
  }
}
