// The way of one request, on one screen: parse strictly, find who, gather facts, decide, record, carry.
// Nothing is forwarded before its record is kept, and whatever fails on the way is an answer, never an allow.
import { accessRequest } from '#gateway/context/facts';
import { isNavigation } from '#gateway/edge/answer';
import { type CleanRequest, inspect, type Refusal } from '#gateway/edge/front';
import { readCookie, SESSION_COOKIE } from '#gateway/identity/cookies';
import { ProofError } from '#gateway/identity/dpop';
import type { LiveSession } from '#gateway/identity/sessions';
import { DOORWAY } from '#gateway/portal/doorway';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import { NOT_ENTITLED } from './access/ruling.ts';
import type { Ways } from './access/ways.ts';
import { type Answers, denialStatus } from './answers.ts';
import type { Carriage } from './carriage.ts';
import type { AppConfig } from './config.ts';
import type { Metrics } from './console/metrics.ts';
import type { Standings } from './context/standing.ts';
import type { Connections } from './edge/connections.ts';
import type { Exchange } from './edge/exchange.ts';
import type { Sites } from './edge/sites.ts';
import type { Sessions } from './identity/sessions.ts';
import type { Terminals } from './identity/terminal.ts';
import type { Rates } from './inspect/rates.ts';
import { type Strangers, TooMany } from './inspect/strangers.ts';

export interface FlowParts {
  readonly sites: Sites;
  readonly connections: Connections;
  readonly sessions: Sessions;
  readonly terminals: Terminals;
  readonly standings: Standings;
  readonly ways: Ways;
  readonly rates: Rates;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  readonly metrics: Metrics;
  readonly answers: Answers;
  readonly carriage: Carriage;
  readonly log: Log;
  readonly now: () => number;
}

export class Flow {
  readonly #parts: FlowParts;

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Takes one request to its end. Never throws. */
  take(exchange: Exchange): Promise<void> {
    return this.toItsEnd(exchange, 'a request', () => this.#take(exchange));
  }

  /** Whatever fails on a request's way is an answer. `what` names the request in the log. Never throws. */
  async toItsEnd(exchange: Exchange, what: string, way: () => Promise<void>): Promise<void> {
    try {
      await way();
    } catch (error) {
      const { answers, metrics, log } = this.#parts;
      const gone = (): void => void exchange.response.destroy();
      if (error instanceof TooMany) return answers.tooMany(exchange, error.retryAfter).catch(gone);
      metrics.failed();
      log.error({ err: error }, `${what} could not be decided`);
      await answers.notDecided(exchange).catch(gone);
    }
  }

  async #take(exchange: Exchange): Promise<void> {
    const { sites, connections, sessions, answers, carriage } = this.#parts;
    const { request } = exchange;
    const inspected = inspect(request, connections.serverName(request));
    if (!inspected.ok) return this.refuse(exchange, inspected.refusal);
    const clean = inspected.request;
    const site = sites.get(clean.host, request.headers.host);
    if (site === undefined) return this.refuse(exchange, 'host-not-served');

    if (site.kind === 'portal' && exchange.upgradeHead !== undefined) return this.#connect(exchange, clean);
    const coming = site.kind === 'app' ? carriage.coming(site.app) : undefined;
    if (coming !== undefined) await coming;
    const session = await sessions.find(readCookie(request.headers.cookie, SESSION_COOKIE), clean.host);
    if (site.kind === 'portal' || clean.path.startsWith(DOORWAY)) {
      return answers.ownPage(exchange, site, clean, session);
    }
    if (session === undefined) {
      await this.#recordRefusal(exchange, 'not-signed-in').catch((error: unknown) => {
        // Whoever wants to sign in is shown where, whatever else comes from the same address.
        if (!(error instanceof TooMany && isNavigation(request))) throw error;
      });
      return answers.signInFirst(exchange, clean);
    }
    if (exchange.upgradeHead !== undefined && !sites.mayUpgrade(site.app, request.headers.origin)) {
      return this.refuse(exchange, 'upgrade-origin');
    }
    return this.decide(exchange, site.app, clean, session);
  }

  /** A command line asks for a TCP app, with the token its person approved. */
  async #connect(exchange: Exchange, clean: CleanRequest): Promise<void> {
    const { sites, answers, connections, recorder, metrics } = this.#parts;
    const { origin } = exchange.request.headers;
    // A browser always names its origin: no page may open TCP connections.
    if (origin !== undefined) return this.refuse(exchange, 'upgrade-origin');
    const session = await this.#terminal(exchange, clean);
    if (session === undefined) {
      await this.#recordRefusal(exchange, 'not-signed-in');
      return answers.signInFirst(exchange, clean);
    }
    const app = sites.tcpApp(clean.path);
    if (app !== undefined) return this.decide(exchange, app, clean, session);
    // The same answer as for an app that exists and is not theirs.
    metrics.refused();
    const id = await recorder.record(connections.refusal(exchange.request, 'app-unknown'));
    return answers.denied(exchange, clean, session, NOT_ENTITLED, id);
  }

  /** Who acts at a command line; a proof that does not fit is nobody. */
  async #terminal({ request }: Exchange, clean: CleanRequest): Promise<LiveSession | undefined> {
    const { sites, terminals, strangers, connections } = this.#parts;
    const { authorization, dpop } = request.headers;
    const url = sites.originOf(clean.host) + clean.path;
    const proof = typeof dpop === 'string' ? dpop : undefined;
    try {
      return (await terminals.find({ authorization, proof, method: clean.method, url }))?.session;
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      const { client } = connections.facts(request);
      await strangers.record({
        kind: 'device-session-refused',
        code: error.code,
        channel: 'terminal',
        client,
      });
      return undefined;
    }
  }

  /** Decides what was asked in a session, records it, and carries it if it is allowed. */
  async decide(exchange: Exchange, app: AppConfig, clean: CleanRequest, session: LiveSession): Promise<void> {
    const { connections, standings, ways, rates, recorder, metrics, answers, carriage, now } = this.#parts;
    const { client, network } = connections.facts(exchange.request);
    const device = await standings.of(session, network.address);
    const asked = accessRequest(session, app, clean, network, device.facts, now());
    const { ruling: ruled, input, only } = await ways.rule(session, asked);
    const ruling = ruled.decision.obligations?.rate === undefined ? ruled : await rates.keep(ruled, input);
    const id = recorder.newId();
    const trace = carriage.traceOf(exchange.request);
    await recorder.record(
      {
        kind: 'access-decided',
        decision: ruling.decision,
        policyHash: ruling.policy,
        input,
        explanation: ruling.explanation,
        client,
        request: connections.httpFacts(exchange.request, clean),
        session: session.id,
        traceId: trace.id,
        connector: input.connector === undefined ? undefined : { name: input.connector.name },
        status: ruling.decision.verdict === 'allow' ? undefined : denialStatus(ruling),
      },
      { id },
    );
    metrics.decided(ruling.decision.verdict);
    if (ruling.decision.verdict !== 'allow' || ruling.explanation !== undefined) {
      return answers.denied(exchange, clean, session, ruling, id, app, device.reasons);
    }
    return carriage.carry(exchange, { app, clean, session, input, ruling, only, id, trace, client });
  }

  /** Records that the front turned a request away, and answers it. */
  async refuse(exchange: Exchange, refusal: Refusal): Promise<void> {
    await this.#recordRefusal(exchange, refusal);
    return this.#parts.answers.refused(exchange, refusal);
  }

  async #recordRefusal({ request }: Exchange, refusal: Refusal): Promise<string | undefined> {
    const { strangers, connections } = this.#parts;
    return strangers.record(connections.refusal(request, refusal));
  }
}
