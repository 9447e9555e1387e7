// The way of a service's request, beside that of a person's: parse strictly, find which service from its own proof,
// then the same decision, record and carriage. A browser has no business here.
import type { Answers } from './answers.ts';
import type { Connections } from './edge/connections.ts';
import type { Exchange } from './edge/exchange.ts';
import { inspect } from './edge/front.ts';
import type { Sites } from './edge/sites.ts';
import type { Delegation, Flow } from './flow.ts';
import { ProofError, type ProofFailure } from './identity/dpop.ts';
import { isPassing } from './identity/service-tokens.ts';
import type { ServiceFailure, Services } from './identity/services.ts';
import type { Strangers } from './inspect/strangers.ts';
import { DelegationError, type DelegationFailure } from './pki/delegation.ts';
import { DOORWAY } from './portal/doorway.ts';
import { type ServiceExchange, TOKEN_PATH } from './service-exchange.ts';

export interface ServiceFlowParts {
  readonly sites: Sites;
  readonly services: Services;
  readonly passing: ServiceExchange;
  readonly connections: Connections;
  readonly flow: Flow;
  readonly answers: Answers;
  readonly strangers: Strangers;
}

export class ServiceFlow {
  readonly #parts: ServiceFlowParts;

  constructor(parts: ServiceFlowParts) {
    this.#parts = parts;
  }

  /** Takes one request to its end. Never throws. */
  take(exchange: Exchange): Promise<void> {
    return this.#parts.flow.toItsEnd(exchange, 'a request of a service', () => this.#take(exchange));
  }

  async #take(exchange: Exchange): Promise<void> {
    const { sites, services, passing, connections, flow } = this.#parts;
    const { request } = exchange;
    const inspected = inspect(request, connections.serverName(request));
    if (!inspected.ok) return flow.refuse(exchange, inspected.refusal);
    const clean = inspected.request;
    const site = sites.get(clean.host, request.headers.host);
    const asksForToken = site?.kind === 'portal' && clean.path === TOKEN_PATH;
    if (site?.kind !== 'app' && !asksForToken) return flow.refuse(exchange, 'host-not-served');
    // A page that makes a browser use its person's certificate would act as that service (CWE-352).
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined) {
      return flow.refuse(exchange, 'browser');
    }
    if (site.kind === 'portal') {
      const post = clean.method === 'POST' && exchange.upgradeHead === undefined;
      return post ? passing.take(exchange, clean) : flow.refuse(exchange, 'method');
    }
    if (clean.path.startsWith(DOORWAY)) return flow.refuse(exchange, 'app-unknown');
    const identified = await services.identify(request, connections.facts(request).client.address);
    if (!identified.ok) return this.#unknown(exchange, identified.code, identified.message);
    if (services.usesToken(request)) dropProofs(request.rawHeaders);
    let acting: Delegation | undefined;
    try {
      acting = await passing.inNameOf(request, clean, site.app, identified.session);
    } catch (error) {
      if (!(error instanceof DelegationError || error instanceof ProofError)) throw error;
      return this.#unknown(exchange, error.code, error.message);
    }
    return flow.decide(exchange, site.app, clean, identified.session, acting);
  }

  async #unknown(
    exchange: Exchange,
    code: ServiceFailure | DelegationFailure | ProofFailure,
    message: string,
  ): Promise<void> {
    const { strangers, connections, answers } = this.#parts;
    const status = isPassing(code) ? 503 : 401;
    const refusal = connections.refusal(exchange.request, 'not-signed-in');
    const id = await strangers.record({ ...refusal, code, status });
    return answers.unknownService(exchange, { status, code, message, reference: id });
  }
}

const PROOFS: ReadonlySet<string> = new Set(['authorization', 'dpop']);

/** The token says to the gateway who asks; an app that saw it could ask in that name. */
function dropProofs(raw: string[]): void {
  for (let i = raw.length - 2; i >= 0; i -= 2) {
    if (PROOFS.has(raw[i]?.toLowerCase() ?? '')) raw.splice(i, 2);
  }
}
