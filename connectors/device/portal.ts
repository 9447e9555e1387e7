// A device's own conversation with the portal: one TLS 1.3 connection, whose exporter the evidence is bound to, so
// that nobody in between can pass it on.
import { type Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { DEVICE_PATHS, EXPORTER, encodeEvidence } from '../wire/evidence.ts';
import { tlsFailure } from '../wire/tls-failure.ts';
import { parsed, type Reply } from './transport.ts';

/** A hardware TPM may need seconds for its part of the answer. */
const TIME_LIMIT = 60_000;
const REPLY_LIMIT = 64 * 1024;

/** The gateway said no, or cannot be reached. `message` is its own sentence with what to do. */
export class PortalError extends Error {
  readonly code: string;
  /** HTTP status; undefined if it was not reached. */
  readonly status: number | undefined;
  constructor(code: string, message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

export type DeviceStep = keyof typeof DEVICE_PATHS;

/** What a request holds; made once the connection it goes over is known. */
export type Content = (exporter: Buffer) => object | Promise<object>;

interface Dated extends Reply {
  readonly at: number;
}

export interface PortalCall {
  readonly portal: string;
  readonly agent: Agent;
  readonly step: DeviceStep;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer's JSON, of any status below 300. @throws {PortalError} */
export async function callPortal(call: PortalCall, content: Content): Promise<unknown> {
  return (await askPortal(call, content)).body;
}

/** The same with the gateway's own time, in epoch milliseconds: NaN where it does not say. @throws {PortalError} */
export async function askPortal(
  call: PortalCall,
  content: Content,
): Promise<{ readonly body: unknown; readonly at: number }> {
  const { status, body, at } = await send(call, content).catch((cause: Error) => {
    if (cause instanceof PortalError || 'code' in cause === false) throw cause;
    throw new PortalError(
      'unreachable',
      `${call.portal} cannot be reached: ${tlsFailure(cause)}`,
      undefined,
      {
        cause,
      },
    );
  });
  if (status < 300) return { body, at };
  const { error, message, remedy } = (body ?? {}) as Record<string, unknown>;
  const words = [message, remedy].filter((text) => typeof text === 'string').join(' ');
  const why = words === '' ? `${call.portal} answered ${status}` : words;
  throw new PortalError(typeof error === 'string' ? error : 'refused', why, status);
}

function send({ portal, agent, step, query = '', headers }: PortalCall, content: Content): Promise<Dated> {
  const url = new URL(DEVICE_PATHS[step] + query, portal);
  const { promise, resolve, reject } = Promise.withResolvers<Dated>();
  const outgoing = request(url, {
    agent,
    method: 'POST',
    minVersion: 'TLSv1.3',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'sallyport',
      ...headers,
    },
  });
  // Not the socket's own: it is idle while the TPM works.
  const timer = setTimeout(
    () =>
      outgoing.destroy(
        Object.assign(new Error(`no answer within ${TIME_LIMIT / 1000} s`), { code: 'ETIMEDOUT' }),
      ),
    TIME_LIMIT,
  );
  outgoing.once('close', () => clearTimeout(timer));
  outgoing.once('error', reject);
  outgoing.once('socket', (socket: TLSSocket) => {
    // The head first: a TPM may take longer than a gateway waits for one.
    const ready = (): void => {
      outgoing.flushHeaders();
      const exporter = socket.exportKeyingMaterial(EXPORTER.length, EXPORTER.label, Buffer.alloc(0));
      Promise.resolve(exporter)
        .then(content)
        .then((message) => outgoing.end(encodeEvidence(message)))
        .catch((error: Error) => {
          reject(error);
          outgoing.destroy();
        });
    };
    // Before the handshake is over there is no Finished message; behind a proxy it may be over already.
    if (socket.getFinished() === undefined) socket.once('secureConnect', ready);
    else ready();
  });
  outgoing.once('response', (reply) => {
    let text = '';
    reply.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.length > REPLY_LIMIT) outgoing.destroy(new Error('the reply is too large'));
    });
    const at = Date.parse(reply.headers.date ?? '');
    reply.once('end', () => resolve({ status: reply.statusCode ?? 0, body: parsed(text), at }));
    reply.once('error', reject);
  });
  return promise;
}
