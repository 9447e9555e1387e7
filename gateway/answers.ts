// What a client hears when its request goes no further: sign in, no, not like this, not now.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Hono } from 'hono';
import { EXPORTER, MAX_ATTESTATION } from '#connectors/wire/evidence';
import type { Ruling } from '#gateway/access/ruling';
import type { StreamEnd } from '#gateway/access/streams';
import type { AppConfig } from '#gateway/config';
import type { StandingReason } from '#gateway/context/standing';
import { answer, isNavigation, redirect } from '#gateway/edge/answer';
import type { Connections } from '#gateway/edge/connections';
import type { CleanRequest } from '#gateway/edge/front';
import { serveOwn } from '#gateway/edge/own-pages';
import { REFUSALS, type Refusal } from '#gateway/edge/refusals';
import type { Site, Sites } from '#gateway/edge/sites';
import type { LiveSession } from '#gateway/identity/live-session';
import { denialJson, denialOf } from '#gateway/portal/denial';
import { DOORWAY, type DoorwayRequest, signInRedirect } from '#gateway/portal/doorway';
import { deniedPage, messagePage } from '#gateway/portal/pages';
import { nameOf, type PortalRequest } from '#gateway/portal/portal';
import type { RelayFailure } from '#gateway/tunnel/relay';
import type { Exchange } from './edge/exchange.ts';

const NOT_UNDERSTOOD =
  'The request was not understood in one way only, so it was refused. Nothing was forwarded.';
/** For refusals of requests that are plain enough. */
const PLAIN: Partial<Record<Refusal, string>> = {
  'host-not-served': 'There is no app at this address. Check how it is written, or choose one of your apps.',
  destination:
    'The Destination of a COPY or MOVE has to be an address of the same app, https or a path, in canonical form.',
  grpc: 'gRPC is not carried to HTTP apps. Make the service a tcp app and reach it with sallyport connect.',
};

export interface AnswersParts {
  /** The portal's origin. */
  readonly portal: string;
  readonly sites: Sites;
  readonly connections: Connections;
  readonly portalApp: Hono<{ Bindings: PortalRequest }>;
  /** Whether a request may bring more than a form: only an answer to a challenge may. */
  readonly expectsEvidence: (clean: CleanRequest) => Promise<boolean>;
  readonly doorwayApp: Hono<{ Bindings: DoorwayRequest }>;
}

export class Answers {
  readonly #parts: AnswersParts;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  /** A page or API of ours; nothing of an app is behind these. */
  async ownPage(
    { request, response, upgradeHead }: Exchange,
    site: Site,
    clean: CleanRequest,
    session: LiveSession | undefined,
  ): Promise<void> {
    if (upgradeHead !== undefined) return this.refused({ request, response }, 'upgrade');
    const url = this.#parts.sites.originOf(clean.host) + clean.path + clean.query;
    const { client, network } = this.#parts.connections.facts(request);
    if (site.kind === 'app')
      return serveOwn(this.#parts.doorwayApp, url, { host: clean.host, client }, request, response);
    const exporter = (): Buffer | undefined => exporterOf(request);
    const limit = (await this.#parts.expectsEvidence(clean)) ? MAX_ATTESTATION : undefined;
    const bindings = { client, network, session, exporter };
    return serveOwn(this.#parts.portalApp, url, bindings, request, response, limit);
  }

  /** Not signed in: a browser is sent to the portal and comes back, a program is told. */
  async signInFirst({ request, response }: Exchange, clean: CleanRequest): Promise<void> {
    const { portal } = this.#parts;
    const path = clean.path + clean.query;
    const begin = signInRedirect(portal, clean.host, path, request.headers.cookie, false);
    if (isNavigation(request)) return redirect(request, response, begin.location, begin.cookie);
    return answer(request, response, {
      status: 401,
      headers: { 'WWW-Authenticate': `Sallyport sign-in="${portal}/sign-in"` },
      json: { error: 'not-signed-in', message: 'Sign in first.', signIn: `${portal}/sign-in` },
      html: () =>
        messagePage(
          portal,
          { title: 'Sign in first', text: 'You are not signed in, or your session has ended.' },
          {
            label: 'Sign in',
            href: portal,
          },
        ),
    });
  }

  async denied(
    { request, response }: Exchange,
    clean: CleanRequest,
    session: LiveSession,
    ruling: Ruling,
    id: string,
    app?: AppConfig,
    device: readonly StandingReason[] = [],
  ): Promise<void> {
    const { explanation, retryAfter } = ruling;
    if (explanation === undefined || ruling.decision.reason === 'error') {
      return this.notDecided({ request, response }, id);
    }
    const path = clean.method === 'GET' ? clean.path + clean.query : '/';
    const stepUpHref = `${DOORWAY}step-up?${new URLSearchParams({ path })}`;
    const bindHref = `${DOORWAY}device?${new URLSearchParams({ path })}`;
    const appName = app?.name ?? '';
    const denial = denialOf({ explanation, appName, reference: id, stepUpHref, bindHref, device });
    const { portal } = this.#parts;
    return answer(request, response, {
      status: denialStatus(ruling),
      ...(retryAfter === undefined ? {} : { headers: { 'Retry-After': String(retryAfter) } }),
      json: { ...denialJson(denial), who: session.subject.kind === 'service' ? 'service' : 'person' },
      html: () => deniedPage(portal, nameOf(session), denial),
    });
  }

  async refused({ request, response }: Exchange, refusal: Refusal): Promise<void> {
    const status = REFUSALS[refusal];
    const text = PLAIN[refusal] ?? NOT_UNDERSTOOD;
    // UNIMPLEMENTED, as clients of gRPC read it.
    const call = refusal === 'grpc' ? { 'Grpc-Status': '12', 'Grpc-Message': text } : {};
    return answer(request, response, {
      status,
      headers: { Connection: 'close', ...call },
      json: { error: 'request-refused', code: refusal, message: text },
      html: () =>
        messagePage(
          this.#parts.portal,
          { title: 'Request refused', text: `${text} (${refusal})` },
          { label: 'Your apps', href: `${this.#parts.portal}/` },
        ),
    });
  }

  /** A service that could not prove which it is. */
  async unknownService(
    { request, response }: Exchange,
    {
      status,
      code,
      message,
      reference,
    }: {
      readonly status: 401 | 503;
      readonly code: string;
      readonly message: string;
      readonly reference: string | undefined;
    },
  ): Promise<void> {
    return answer(request, response, {
      status,
      headers: status === 401 ? { 'WWW-Authenticate': 'Bearer' } : { 'Retry-After': '5' },
      json: { error: 'service-unknown', code, message, reference },
      html: () => messagePage(this.#parts.portal, { title: 'Unknown service', text: message, reference }),
    });
  }

  /** So much was refused to this address that it is not told more for a while. */
  async tooMany({ request, response }: Exchange, retryAfter: number): Promise<void> {
    const text = `Too many requests from your network address were refused. Try again in ${retryAfter} s.`;
    return answer(request, response, {
      status: 429,
      headers: { 'Retry-After': String(retryAfter), Connection: 'close' },
      json: { error: 'too-many', message: text, retryAfter },
      html: () => messagePage(this.#parts.portal, { title: 'Too many requests', text }),
    });
  }

  /** The decision, or its record, could not be made: that is a deny. */
  async notDecided(exchange: Exchange, reference?: string): Promise<void> {
    const text =
      'Your request could not be checked at the moment, so it was not let through. Try again shortly.';
    return this.#unavailable(exchange, 'not-decided', text, reference);
  }

  /** Allowed when it was asked for, and no longer before there was anything of an answer. */
  async ended({ request, response }: Exchange, reason: StreamEnd, reference: string): Promise<number> {
    if (reason === 'not-decided') {
      await this.notDecided({ request, response }, reference);
      return 503;
    }
    if (reason === 'gateway-stopped') {
      // Still allowed, and answered by the next gateway that is asked.
      const stopped = 'The gateway stopped before the app had answered. Try again shortly.';
      await this.#unavailable({ request, response }, reason, stopped, reference);
      return 503;
    }
    const text = 'Your access ended before there was an answer. Try again to see why.';
    await answer(request, response, {
      status: 403,
      headers: { Connection: 'close' },
      json: { error: 'access-ended', code: reason, message: text, reference },
      html: () => messagePage(this.#parts.portal, { title: 'Access ended', text, reference }),
    });
    return 403;
  }

  async #unavailable(
    { request, response }: Exchange,
    error: string,
    text: string,
    reference: string | undefined,
  ): Promise<void> {
    return answer(request, response, {
      status: 503,
      headers: { 'Retry-After': '5', Connection: 'close' },
      json: { error, message: text, reference },
      html: () => messagePage(this.#parts.portal, { title: 'Not available', text, reference }),
    });
  }

  /** Allowed, but the app could not be reached. */
  async unreachable(
    { request, response }: Exchange,
    app: AppConfig,
    failure: RelayFailure,
    id: string,
  ): Promise<number> {
    const status = FAILURE_STATUS[failure];
    const text = `${app.name} cannot be reached at the moment. You have access to it; it is not answering.`;
    await answer(request, response, {
      status,
      json: { error: 'app-unreachable', code: failure, message: text, reference: id },
      html: () => messagePage(this.#parts.portal, { title: 'App not reachable', text, reference: id }),
    });
    return status;
  }
}

/** Of a refusal by policy, or where there could be none. */
export function denialStatus({ decision: { reason } }: Ruling): 403 | 429 | 503 {
  if (reason === 'error') return 503;
  return reason === 'rate-limited' ? 429 : 403;
}

/** Before TLS 1.3 the exporter does not tell every connection apart (RFC 9266). */
function exporterOf({ socket }: IncomingMessage): Buffer | undefined {
  const tls = socket as TLSSocket;
  if (tls.getProtocol?.() !== 'TLSv1.3') return undefined;
  return tls.exportKeyingMaterial(EXPORTER.length, EXPORTER.label, Buffer.alloc(0));
}

const FAILURE_STATUS: Readonly<Record<RelayFailure, number>> = {
  'no-connector': 502,
  'connector-lost': 502,
  'connector-refused': 502,
  'app-unreachable': 502,
  'app-error': 502,
  'app-timeout': 504,
  'bad-head': 502,
  overloaded: 503,
};
