// Carries an allowed and recorded request to its app and watches it to the end, so that it can be ended early.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { MAX_PIPE_MESSAGE, WebSocketPipe } from '#connectors/wire/pipe';
import { CONNECT_SUBPROTOCOL } from '#connectors/wire/terminal';
import type { Ruled } from '#gateway/access/ruled';
import type { OpenExchange, OpenExchanges, StreamEnd } from '#gateway/access/streams';
import type { AppConfig, HttpAppConfig } from '#gateway/config';
import { forwardHeaders, OWN_COOKIE_PREFIX, traceOf } from '#gateway/edge/forwarded';
import type { CleanRequest } from '#gateway/edge/front';
import { identityHeaders } from '#gateway/edge/identity-headers';
import type { LiveSession } from '#gateway/identity/live-session';
import { type ActingFor, ASSERTION_HEADER, type AssertionSigner } from '#gateway/pki/assertion';
import { AppTroubles } from '#gateway/tunnel/app-troubles';
import type { ForwardHead, Relay, RelayResult, TunnelRelays } from '#gateway/tunnel/relay';
import type { AccessRequest } from '#policy/input';
import type { Log } from '#siem/log';
import type { Peer } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Answers } from './answers.ts';
import type { Exchange } from './edge/exchange.ts';

/** Ends of exchanges over this many bytes, or milliseconds, are recorded too; shorter ones have their decision. */
const RECORD_BYTES = 1 << 20;
const RECORD_DURATION = 10_000;

/** A request that was allowed, with all that was found out about it on the way. */
export interface Allowed extends Pick<Ruled, 'session' | 'input' | 'ruling' | 'only' | 'id'> {
  readonly app: AppConfig;
  readonly clean: CleanRequest;
  readonly trace: ReturnType<typeof traceOf>;
  readonly client: Peer;
  /** The service that asks in the session's name. */
  readonly acting?: ActingFor | undefined;
  /** Who else must stay allowed for it to stay open. */
  readonly also: readonly Pick<Ruled, 'session' | 'input' | 'ruling'>[];
}

/** That we ended it: why, and since when it was no longer allowed; undefined if it still was. */
interface Ended {
  readonly reason: StreamEnd;
  readonly since: number | undefined;
}

export interface CarriageParts {
  readonly tunnels: TunnelRelays;
  readonly signer: AssertionSigner;
  readonly open: OpenExchanges;
  readonly recorder: Recorder;
  readonly answers: Answers;
  readonly log: Pick<Log, 'warn'>;
  readonly now: () => number;
}

/** One party of an exchange. A class: an accessor of an object literal costs a hidden class, and keeps its request long. */
class Watched implements OpenExchange {
  readonly session: LiveSession;
  readonly input: AccessRequest;
  readonly socket: OpenExchange['socket'];
  readonly close: OpenExchange['close'];
  readonly #relay: Relay;

  constructor(
    { session, input }: Pick<OpenExchange, 'session' | 'input'>,
    socket: OpenExchange['socket'],
    relay: Relay,
    close: OpenExchange['close'],
  ) {
    this.session = session;
    this.input = input;
    this.socket = socket;
    this.close = close;
    this.#relay = relay;
  }

  get carrier(): OpenExchange['carrier'] {
    return this.#relay.carrier;
  }
}

export class Carriage {
  readonly #parts: CarriageParts;
  readonly #troubles: AppTroubles;

  constructor(parts: CarriageParts) {
    this.#parts = parts;
    this.#troubles = new AppTroubles(parts.log, parts.now);
  }

  /** `known`: the trace id, where the request brings none. */
  traceOf(request: IncomingMessage, known?: string): ReturnType<typeof traceOf> {
    return traceOf(request, known);
  }

  /** While the gateway is young: what to wait for before anything is decided for the app. */
  coming(app: AppConfig): Promise<void> | undefined {
    return this.#parts.tunnels.coming(app.id);
  }

  async carry(exchange: Exchange, allowed: Allowed): Promise<void> {
    const { open, answers, now } = this.#parts;
    const { app } = allowed;
    const startedAt = now();
    const kind = { streaming: exchange.upgradeHead !== undefined };
    const relay = this.#relay(exchange, allowed, kind);
    let ended: Ended | undefined;
    const close: OpenExchange['close'] = (reason, since) => {
      ended ??= { reason, since };
      relay.close(reason);
    };
    const { socket } = exchange.request;
    const watched = [allowed, ...allowed.also].map((party) => new Watched(party, socket, relay, close));
    for (const one of watched) open.add(one);
    const result = await relay.done;
    for (const one of watched) open.delete(one);
    this.#troubles.tell(app.id, result);
    let { status } = result;
    if (!result.headSent && result.outcome === 'failed') {
      status = await answers.unreachable(
        reattached(exchange),
        app,
        result.failure ?? 'app-error',
        allowed.id,
      );
    } else if (!result.headSent && ended !== undefined) {
      status = await answers.ended(reattached(exchange), ended.reason, allowed.id);
    }
    const durationMs = now() - startedAt;
    if (kind.streaming || asksForRecord(allowed) || worthRecording(result, durationMs)) {
      await this.#recordEnd(allowed, result, { startedAt, durationMs, status, ended });
    }
  }

  /** Begins the exchange in the way its app and its client speak. Notes in `kind` if it turns out to be a stream. */
  #relay(exchange: Exchange, allowed: Allowed, kind: { streaming: boolean }): Relay {
    const { tunnels } = this.#parts;
    const { app, only } = allowed;
    const { request, response, upgradeHead } = exchange;
    const stick = app.sticky === 'session' ? allowed.session.id : undefined;
    if (app.protocol === 'tcp') return tunnels.connect(app.id, () => acceptPipe(exchange), { stick, only });
    const head = this.#head(request, app, allowed, upgradeHead !== undefined);
    const onHead = (_status: number, headers: string[]): void => {
      kind.streaming ||= cleanResponse(headers);
    };
    if (upgradeHead !== undefined) {
      return tunnels.upgrade(app.id, request, detached(exchange), upgradeHead, head, { onHead, stick, only });
    }
    const expectContinue = exchange.expectContinue === true;
    return tunnels.relay(app.id, request, response, head, { onHead, expectContinue, stick, only });
  }

  #head(
    request: IncomingMessage,
    app: HttpAppConfig,
    { clean, session, input, ruling, id, trace, client, acting }: Allowed,
    upgrade: boolean,
  ): ForwardHead {
    const { subject, login, bond } = session;
    const { method, path, query } = clean;
    // `front` checked that the name in it is ours, and `sites` the port.
    const origin = `https://${(request.headers.host ?? '').toLowerCase()}`;
    const url = origin + path;
    const destination = clean.destination && origin + clean.destination.path + clean.destination.query;
    const context = {
      session: session.id,
      subject,
      app: app.id,
      policy: ruling.policy,
      login: subject.kind === 'user' ? login : undefined,
      device: input.device,
      deviceKey: bond?.key,
      deviceBoot: bond?.boot,
      deviceUntil: bond?.until,
      risk: input.risk,
      wishes: app.assertion,
      address: input.network.address,
      acting,
      request: { method, url, decision: id, trace: trace.id },
    };
    const from = { address: client.address, decisionId: id, traceparent: trace.parent, destination };
    return {
      method,
      path: path + query,
      headers: forwardHeaders(request, from, upgrade),
      bound: (certificate) => {
        const assertion = this.#parts.signer.assertion({ ...context, certificate });
        const others = identityHeaders(app.assertion.headers, assertion, subject);
        return [ASSERTION_HEADER, assertion, ...others];
      },
    };
  }

  async #recordEnd(
    { id, app, session, client, trace }: Allowed,
    result: RelayResult,
    end: { startedAt: number; durationMs: number; status: number | undefined; ended: Ended | undefined },
  ): Promise<void> {
    const since = end.ended?.since;
    await this.#parts.recorder.record({
      kind: 'stream-closed',
      decisionId: id,
      app: app.id,
      subject: session.subject,
      session: session.id,
      client,
      connector: result.connector === undefined ? undefined : { name: result.connector },
      traceId: trace.id,
      reason: end.ended?.reason ?? result.failure ?? result.outcome,
      startedAt: end.startedAt,
      durationMs: end.durationMs,
      enforceMs: since === undefined ? undefined : Math.max(0, end.startedAt + end.durationMs - since),
      bytesFromClient: result.bytesIn,
      bytesToClient: result.bytesOut,
      status: end.status,
    });
  }
}

/** Whether a rule by which it was allowed wants the end of everything it allows recorded. */
function asksForRecord({ ruling, also }: Allowed): boolean {
  return isRecorded(ruling) || also.some((one) => isRecorded(one.ruling));
}

function isRecorded({ decision }: Ruled['ruling']): boolean {
  return decision.obligations?.record === true;
}

function worthRecording(result: RelayResult, durationMs: number): boolean {
  return (
    result.outcome !== 'completed' ||
    durationMs > RECORD_DURATION ||
    result.bytesIn + result.bytesOut > RECORD_BYTES
  );
}

/** A cookie without a name comes back from some browsers as if its value were a name and a value (RFC 6265bis 5.6). */
const PLANTED = new RegExp(`^[\\s=]*${OWN_COOKIE_PREFIX}`, 'i');

/** Takes an app's hands off our cookies (session fixation), in place. True if the answer is an event stream. */
function cleanResponse(headers: string[]): boolean {
  let stream = false;
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]?.toLowerCase();
    const value = headers[i + 1] ?? '';
    if (name === 'set-cookie' && PLANTED.test(value)) headers.splice(i, 2);
    else if (name === 'content-type' && value.startsWith('text/event-stream')) stream = true;
  }
  return stream;
}

/** An upgrade's socket, no longer tied to the response that could have refused it. */
function detached({ request, response }: Exchange): IncomingMessage['socket'] {
  response.detachSocket(request.socket);
  return request.socket;
}

/** An upgrade's response gets its socket back, if it had lost it, so that it can say what went wrong. */
function reattached(exchange: Exchange): Exchange {
  const { request, response, upgradeHead } = exchange;
  if (upgradeHead !== undefined && response.socket === null) response.assignSocket(request.socket);
  return exchange;
}

const handshakes = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_PIPE_MESSAGE,
  handleProtocols: (offered) => (offered.has(CONNECT_SUBPROTOCOL) ? CONNECT_SUBPROTOCOL : false),
});

/** Completes a command line's handshake; from then on its socket carries the TCP connection's bytes. */
function acceptPipe(exchange: Exchange): Promise<Duplex> {
  const { request, upgradeHead = Buffer.alloc(0) } = exchange;
  const socket = detached(exchange);
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('the client went away'));
    // It may have left while the app was being dialled; then its close has been and will not come again.
    if (socket.destroyed) return gone();
    socket.once('close', gone);
    handshakes.handleUpgrade(request, socket, upgradeHead, (ws) => resolve(new WebSocketPipe(ws)));
  });
}
