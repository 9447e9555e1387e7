// The second hop: a service that was asked by somebody gets a token to ask another app in that name (RFC 8693), and the
// gateway believes such a token only from the service it was made for, while the person's session lives.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Recorder } from '#siem/recorder';
import type { HttpAppConfig } from './config.ts';
import type { Metrics } from './console/metrics.ts';
import type { Connections } from './edge/connections.ts';
import type { Exchange } from './edge/exchange.ts';
import { traceOf } from './edge/forwarded.ts';
import type { CleanRequest } from './edge/front.ts';
import { readBody } from './edge/own-pages.ts';
import type { Sites } from './edge/sites.ts';
import { canonicalTarget } from './edge/target.ts';
import type { Delegation, Flow } from './flow.ts';
import { ProofError, type Proofs } from './identity/dpop.ts';
import {
  ExchangeError,
  type ExchangeRequest,
  exchangeRequest,
  JWT_TYPE,
  malformed,
  narrowed,
  target,
} from './identity/exchange-request.ts';
import type { LiveSession } from './identity/live-session.ts';
import { isPassing } from './identity/service-tokens.ts';
import type { Services } from './identity/services.ts';
import type { Sessions } from './identity/sessions.ts';
import type { Strangers } from './inspect/strangers.ts';
import {
  type Confirmation,
  chained,
  DelegationError,
  type Delegations,
  type Passed,
} from './pki/delegation.ts';

export const TOKEN_PATH = '/oauth2/token';
const ON_BEHALF = 'x-sallyport-on-behalf-of';
/** A token and an assertion, each of which may be long, and what is around them. */
const BODY_LIMIT = 32 * 1024;

export interface ServiceExchangeParts {
  readonly sites: Sites;
  readonly services: Services;
  readonly delegations: Delegations;
  readonly sessions: Pick<Sessions, 'byId'>;
  readonly proofs: Proofs;
  readonly connections: Connections;
  readonly flow: Flow;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  readonly metrics: Metrics;
}

interface Granted {
  readonly token: string;
  readonly expiresIn: number;
  readonly service: LiveSession;
  readonly person: LiveSession;
  readonly app: HttpAppConfig;
  readonly scope?: readonly string[] | undefined;
}

export class ServiceExchange {
  readonly #parts: ServiceExchangeParts;

  constructor(parts: ServiceExchangeParts) {
    this.#parts = parts;
  }

  /** Answers a request for a token. */
  async take({ request, response }: Exchange, clean: CleanRequest): Promise<void> {
    const { connections, recorder, strangers, metrics } = this.#parts;
    const { client } = connections.facts(request);
    const trace = traceOf(request).id;
    try {
      const { token, expiresIn, service, person, app, scope } = await this.#grant(request, clean, trace);
      await recorder.record({
        ...{ kind: 'token-exchanged', client, traceId: trace, app: app.id, expiresIn },
        ...{ service: service.subject, person: person.subject, session: person.id, scope },
      });
      metrics.exchanged('issued');
      const words = scope === undefined ? {} : { scope: scope.join(' ') };
      const issued = { access_token: token, issued_token_type: JWT_TYPE, token_type: 'N_A' };
      send(response, 200, { ...issued, expires_in: expiresIn, ...words });
    } catch (cause) {
      const error = asExchangeError(cause);
      if (error === undefined) throw cause;
      metrics.exchanged('refused');
      const { code, reason, message } = error;
      const reference = await strangers.record({
        ...{ kind: 'token-exchange-refused', client, traceId: trace, code, reason },
      });
      const unknown = isPassing(reason) ? 503 : 401;
      send(response, code === 'invalid_client' ? unknown : 400, {
        error: code,
        error_description: message,
        reason,
        reference,
      });
    }
  }

  async #grant(request: IncomingMessage, { host, path }: CleanRequest, trace: string): Promise<Granted> {
    const { services, delegations, connections, sites } = this.#parts;
    const body = await readBody(request, BODY_LIMIT);
    if (body === null) throw malformed(`the body is over ${BODY_LIMIT} bytes`);
    const form = exchangeRequest(request.headers['content-type'], body.toString('utf8'));
    const { network } = connections.facts(request);
    const certificate = thumbprint(request);
    if (certificate !== undefined && form.clientAssertion !== undefined) {
      throw malformed('prove yourself in one way: by the certificate, or by client_assertion');
    }
    const identified = await services.identify(request, network.address, form.clientAssertion);
    if (!identified.ok) throw new ExchangeError('invalid_client', identified.code, identified.message);
    const service = identified.session;
    const proven = { method: 'POST', url: sites.originOf(host) + path };
    const cnf: Confirmation =
      certificate === undefined
        ? { jkt: await this.#parts.proofs.spend(proofIn(request), proven) }
        : { 'x5t#S256': certificate };
    const said = await delegations.asserted(form.subjectToken);
    if (sites.httpApp(said.app)?.assertion.exchange.includes(service.subject.id) !== true) {
      const message = `${service.subject.id} is not the app that the assertion was made for`;
      throw new ExchangeError('unauthorized_client', 'service-other', message);
    }
    const scope = narrowed(said.scope, form.scope);
    const wanted = this.#target(form);
    const delegation = {
      ...(await this.#delegation(said)),
      trace,
      act: chained(service.subject.id, said.act),
      scope,
    };
    await this.#decide(request, { ...wanted, methods: scope ?? ['GET'] }, service, delegation);
    const { app } = wanted;
    const passed = { ...said, act: delegation.act, scope, app: app.id, cnf, trace };
    const issued = delegations.issue(passed, Math.min(service.expiresAt, delegation.person.expiresAt));
    return { ...issued, service, person: delegation.person, app, scope };
  }

  /** Service and person must both be allowed what the token is for, each method of it. */
  async #decide(
    request: IncomingMessage,
    wanted: { readonly app: HttpAppConfig; readonly path: string; readonly methods: readonly string[] },
    service: LiveSession,
    delegation: Delegation,
  ): Promise<void> {
    const { connections, flow } = this.#parts;
    const { app, path, methods } = wanted;
    const { network } = connections.facts(request);
    for (const method of methods) {
      const clean = { host: app.host, path, query: '', method };
      const asked = { request, app, clean, trace: delegation.trace, acting: delegation, deniedWith: 400 };
      for (const party of [
        { session: service, network },
        { session: delegation.person, network: delegation.network },
      ]) {
        const { allowed, ruling } = await flow.rule(asked, party);
        if (allowed) continue;
        if (ruling.decision.reason === 'error') throw new Error(`no decision about ${app.id}`);
        const who = party.session === service ? 'service' : 'person';
        const message = `the ${who} may not ${method} ${path} at ${app.id}: ${ruling.decision.reason}`;
        throw new ExchangeError('invalid_target', `denied-${who}`, message);
      }
    }
  }

  #target({ audience, resource }: ExchangeRequest): { app: HttpAppConfig; path: string } {
    const { sites } = this.#parts;
    const url = resource === undefined ? undefined : new URL(resource);
    const site = url === undefined ? undefined : sites.byHost(url.hostname);
    const named = audience === undefined ? undefined : sites.httpApp(audience);
    const app = audience === undefined ? site : named;
    if (app === undefined) throw target('there is no such app');
    if (url === undefined || resource === undefined) return { app, path: '/' };
    if (site !== app) throw target('audience and resource are of two apps');
    const canonical = canonicalTarget(resource, /^https:\/\/([^/?]*)/i.exec(resource)?.[1] ?? '');
    if (!canonical.ok) throw target(`resource could be understood in two ways: ${canonical.refusal}`);
    return { app, path: canonical.path };
  }

  /**
   * In whose name a request of `service` is, by the token it carries; undefined if it carries none.
   * @throws {DelegationError | ProofError} for a token that is not good here.
   */
  async inNameOf(
    request: IncomingMessage,
    { host, path, method }: CleanRequest,
    app: HttpAppConfig,
    service: LiveSession,
  ): Promise<Delegation | undefined> {
    const token = request.headers[ON_BEHALF];
    if (token === undefined) return undefined;
    const { delegations, proofs, sites } = this.#parts;
    const said = await delegations.delegated(String(token), app.id);
    if (said.act.sub !== service.subject.id) {
      throw new DelegationError('delegation-service', 'it was made for another service');
    }
    const { cnf } = said;
    const proven = { method, url: sites.originOf(host) + path, token: String(token) };
    const shown = 'jkt' in cnf ? await proofs.spend(proofIn(request), proven) : thumbprint(request);
    if (shown !== ('jkt' in cnf ? cnf.jkt : cnf['x5t#S256'])) {
      throw new DelegationError('delegation-key', 'it is bound to another key than the connection shows');
    }
    if (said.scope?.includes(method) === false) {
      throw new DelegationError('delegation-scope', `it is not good for ${method}`);
    }
    return { ...(await this.#delegation(said)), trace: said.trace, act: said.act, scope: said.scope };
  }

  /** The person and their session, if it still lives; what is known of their device is asked anew by its key. */
  async #delegation({
    sub,
    sid,
    txn,
    address,
    device,
  }: Passed): Promise<Pick<Delegation, 'person' | 'network' | 'txn'>> {
    const session = await this.#parts.sessions.byId(sid);
    if (session?.subject.id !== sub) {
      throw new DelegationError('delegation-session', 'the person has no such session any more');
    }
    const network = this.#parts.connections.network(address);
    if (device === undefined) return { person: session, network, txn };
    const { id, until = Number.POSITIVE_INFINITY, ...proved } = device;
    return {
      person: {
        ...session,
        bond: { ...proved, device: id, until: Math.min(session.expiresAt, until * 1000) },
      },
      network,
      txn,
    };
  }
}

/** RFC 8705 section 3.1, of the certificate that the connection showed. */
function thumbprint({ socket }: IncomingMessage): string | undefined {
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  return Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
}

function proofIn({ headers }: IncomingMessage): string | undefined {
  return typeof headers['dpop'] === 'string' ? headers['dpop'] : undefined;
}

function asExchangeError(cause: unknown): ExchangeError | undefined {
  if (cause instanceof ExchangeError) return cause;
  if (cause instanceof DelegationError) {
    // RFC 8693 section 2.2.2: whatever is wrong with the subject token.
    const reason = cause.code.replace('delegation-', 'subject-');
    return new ExchangeError('invalid_request', reason, `the assertion: ${cause.message}`, { cause });
  }
  if (cause instanceof ProofError) {
    return new ExchangeError('invalid_dpop_proof', cause.code, cause.message, { cause });
  }
  return undefined;
}

function send(response: Exchange['response'], status: number, body: Readonly<Record<string, unknown>>): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  });
  response.end(text);
}
