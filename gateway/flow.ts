// The way of one request, on one screen: parse strictly, find who, gather facts, decide, record, carry.
// Nothing is forwarded before its record is kept, and whatever fails on the way is an answer, never an allow.
import type { IncomingMessage } from 'node:http';
import { SSH_CERTIFICATE_PATH } from '#connectors/wire/terminal';
import { accessRequest, type NetworkFacts } from '#gateway/context/facts';
import { isNavigation } from '#gateway/edge/answer';
import { type CleanRequest, inspect, placesOf } from '#gateway/edge/front';
import type { Refusal } from '#gateway/edge/refusals';
import { readCookie, SESSION_COOKIE } from '#gateway/identity/cookies';
import { ProofError } from '#gateway/identity/dpop';
import type { LiveSession } from '#gateway/identity/live-session';
import type { ActingFor } from '#gateway/pki/assertion';
import { actorsOf } from '#gateway/pki/delegation';
import { DOORWAY } from '#gateway/portal/doorway';
import type { Log } from '#siem/log';
import type { ActingOf } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Ruled } from './access/ruled.ts';
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
import type { SshCertificates } from './ssh-certificates.ts';
import { StateError } from './state/error.ts';

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
  /** Undefined where no app has SSH certificates. */
  readonly certificates: SshCertificates | undefined;
  readonly log: Log;
  readonly now: () => number;
}

/** In whose name a service asks, and what came to it with that name. */
export interface Delegation extends ActingFor {
  readonly person: LiveSession;
  /** Of the person's own connection. */
  readonly network: NetworkFacts;
  /** W3C trace id under which the name was passed on. */
  readonly trace: string;
}

/** One of those who must be allowed what is asked. */
interface Party {
  readonly session: LiveSession;
  readonly network: NetworkFacts;
}

export interface Asked {
  readonly request: IncomingMessage;
  readonly app: AppConfig;
  readonly clean: CleanRequest;
  readonly trace: string;
  readonly acting?: Delegation | undefined;
  /** Status of the answer to whatever policy denies; by its reason if left out. */
  readonly deniedWith?: number;
}

const PORTAL = { kind: 'portal' } as const;

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
      const id = error instanceof StateError ? await this.#recordUndecided(exchange) : undefined;
      await answers.notDecided(exchange, id).catch(gone);
    }
  }

  /** While the state is away nobody knows who asks: that, too, is told. The answer does not hang on it. */
  async #recordUndecided({ request }: Exchange): Promise<string | undefined> {
    const { strangers, connections } = this.#parts;
    const refusal = connections.refusal(request, 'not-signed-in');
    return strangers.record({ ...refusal, code: 'not-decided', status: 503 }).catch(() => undefined);
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
    if (site.kind === 'portal' && clean.path === SSH_CERTIFICATE_PATH) return this.#certify(exchange, clean);
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

  /** A command line asks for a certificate with which sshd behind a TCP app lets its person in. */
  async #certify(exchange: Exchange, clean: CleanRequest): Promise<void> {
    const { answers, carriage, certificates, connections } = this.#parts;
    if (certificates === undefined) return answers.ownPage(exchange, PORTAL, clean, undefined);
    const session = await this.#terminal(exchange, clean);
    if (session === undefined) {
      await this.#recordRefusal(exchange, 'not-signed-in');
      return answers.signInFirst(exchange, clean);
    }
    const { request } = exchange;
    const { network } = connections.facts(request);
    const trace = carriage.traceOf(request).id;
    const rule = (app: AppConfig): Promise<Ruled> =>
      this.rule({ request, app, clean, trace }, { session, network });
    return certificates.take(exchange, clean, { session, trace, rule });
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

  /**
   * Decides what was asked in a session, records it, and carries it if it is allowed: at each place it is about. With a
   * delegation the session is a service's, and the person in whose name it asks must be allowed it too.
   */
  async decide(
    exchange: Exchange,
    app: AppConfig,
    clean: CleanRequest,
    session: LiveSession,
    acting?: Delegation,
  ): Promise<void> {
    const { connections, answers, carriage } = this.#parts;
    const { request } = exchange;
    const { client, network } = connections.facts(request);
    const trace = carriage.traceOf(request, acting?.trace);
    const parties: Party[] = [{ session, network }];
    if (acting !== undefined) parties.push({ session: acting.person, network: acting.network });
    const ruled: Ruled[] = [];
    for (const at of placesOf(clean)) {
      for (const party of parties) {
        const one = await this.rule({ request, app, clean: at, trace: trace.id, acting }, party);
        ruled.push(one);
        if (one.allowed) continue;
        return answers.denied(exchange, clean, one.session, one.ruling, one.id, app, one.reasons);
      }
    }
    exchange.admitted?.();
    const last = ruled[parties.length - 1] as Ruled;
    const { session: bearer, input, ruling, id } = last;
    const only = ruled.map((one) => one.only).reduce(common);
    const also = ruled.filter((one) => one !== last);
    const allowed = { session: bearer, input, ruling, id, only, also, app, clean, trace, client, acting };
    return carriage.carry(exchange, allowed);
  }

  /** Decides and records one party of what was asked. */
  async rule(asked: Asked, { session, network }: Party): Promise<Ruled> {
    const { connections, standings, ways, rates, recorder, metrics, now } = this.#parts;
    const { request, app, clean, trace, acting } = asked;
    const device = await standings.of(session, network.address);
    const facts = accessRequest(session, app, clean, network, device.facts, now());
    const first = await ways.rule(session, facts);
    const { ruling, input, only } =
      first.ruling.decision.obligations?.rate === undefined
        ? first
        : await rates.kept(first, (spent) => ways.without(spent, session, facts));
    const id = recorder.newId();
    const { verdict, reason } = ruling.decision;
    const deniedWith = reason === 'error' ? undefined : asked.deniedWith;
    await recorder.record(
      {
        kind: 'access-decided',
        decision: ruling.decision,
        policyHash: ruling.policy,
        input,
        explanation: ruling.explanation,
        client: connections.facts(request).client,
        request: connections.httpFacts(request, clean),
        session: session.id,
        traceId: trace,
        connector: input.connector === undefined ? undefined : { name: input.connector.name },
        acting: acting && actingOf(acting),
        status: verdict === 'allow' ? undefined : (deniedWith ?? denialStatus(ruling)),
      },
      { id },
    );
    metrics.decided(verdict);
    const allowed = verdict === 'allow' && ruling.explanation === undefined;
    return { session, input, ruling, only, id, allowed, reasons: device.reasons };
  }

  /** Records that the front turned a request away, and answers it. */
  async refuse(exchange: Exchange, refusal: Refusal): Promise<void> {
    // Before anything is awaited: what else was sent down this connection is not taken.
    exchange.response.shouldKeepAlive = false;
    await this.#recordRefusal(exchange, refusal);
    return this.#parts.answers.refused(exchange, refusal);
  }

  async #recordRefusal({ request }: Exchange, refusal: Refusal): Promise<string | undefined> {
    const { strangers, connections } = this.#parts;
    return strangers.record(connections.refusal(request, refusal));
  }
}

/** The connectors that both rulings are about. */
function common(
  one: ReadonlySet<string> | undefined,
  other: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  return one === undefined || other === undefined ? (one ?? other) : one.intersection(other);
}

function actingOf({ act, txn, person }: Delegation): ActingOf {
  return { chain: actorsOf(act), transaction: txn, person: person.subject };
}
