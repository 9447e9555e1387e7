// A person's command line asks for a certificate with which sshd behind a TCP app lets them in. Policy decides it as it
// decides a connection to that app, and nobody has a certificate before both are recorded.
import { z } from 'zod';
import type { Recorder } from '#siem/recorder';
import type { Ruled } from './access/ruled.ts';
import { NOT_ENTITLED } from './access/ruling.ts';
import type { Answers } from './answers.ts';
import type { TcpAppConfig } from './config.ts';
import type { Connections } from './edge/connections.ts';
import type { Exchange } from './edge/exchange.ts';
import type { CleanRequest } from './edge/front.ts';
import { readBody } from './edge/own-pages.ts';
import type { Sites } from './edge/sites.ts';
import type { LiveSession } from './identity/live-session.ts';
import type { Strangers } from './inspect/strangers.ts';
import { IssueError } from './pki/issued.ts';
import type { SshDesk } from './pki/ssh/desk.ts';
import { MAX_KEY_LINE, readKeyLine, type SubjectKey } from './pki/ssh/public-key.ts';

const BODY_LIMIT = 4 * MAX_KEY_LINE;

export interface SshCertificatesParts {
  readonly desk: SshDesk;
  readonly sites: Sites;
  readonly connections: Connections;
  readonly answers: Answers;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
}

/** Who asks, in which trace, and how a TCP app is decided for them. */
export interface Asking {
  readonly session: LiveSession;
  readonly trace: string;
  rule(app: TcpAppConfig): Promise<Ruled>;
}

const bodySchema = z.strictObject({ app: z.string().min(1).max(64), key: z.string().max(2 * MAX_KEY_LINE) });

const STATUS: Readonly<Record<IssueError['code'], number>> = {
  'bad-key': 400,
  'bad-csr': 400,
  'not-permitted': 403,
  'too-many': 429,
};

export class SshCertificates {
  readonly #parts: SshCertificatesParts;

  constructor(parts: SshCertificatesParts) {
    this.#parts = parts;
  }

  /** Answers a request for a certificate. */
  async take(exchange: Exchange, clean: CleanRequest, asking: Asking): Promise<void> {
    const { request, response } = exchange;
    try {
      const { app: id, key: line } = await bodyOf(exchange);
      const key = readKeyLine(line);
      await this.#give(exchange, clean, asking, { id, key });
    } catch (error) {
      if (error instanceof Malformed)
        return send(response, 400, { error: 'bad-request', message: error.message });
      if (!(error instanceof IssueError)) throw error;
      const { connections, strangers } = this.#parts;
      const { session, trace: traceId } = asking;
      const { code, message } = error;
      const reference = await strangers.record({
        ...{ kind: 'ssh-certificate-refused', code, reason: message, traceId },
        ...{ subject: session.subject, session: session.id, client: connections.facts(request).client },
      });
      send(response, STATUS[code], { error: code, message, reference });
    }
  }

  async #give(
    exchange: Exchange,
    clean: CleanRequest,
    { session, trace: traceId, rule }: Asking,
    { id, key }: { readonly id: string; readonly key: SubjectKey },
  ): Promise<void> {
    const { desk, sites, connections, answers, recorder } = this.#parts;
    const { request, response } = exchange;
    const app = sites.tcpAppById(id);
    if (app === undefined) {
      // The same answer as for an app that exists and is not theirs.
      const reference = await recorder.record(connections.refusal(request, 'app-unknown'));
      return answers.denied(exchange, clean, session, NOT_ENTITLED, reference);
    }
    const ruled = await rule(app);
    if (!ruled.allowed) {
      return answers.denied(exchange, clean, session, ruled.ruling, ruled.id, app, ruled.reasons);
    }
    if (app.ssh === undefined) {
      const message = `${app.name} takes no certificates; sign in there as before.`;
      return send(response, 404, { error: 'no-certificates', message });
    }
    const { certificate, serial, keyId, principals, validBefore } = await desk.issue({
      ...{ session, app: id, key: key.blob, decision: ruled.id, until: until(ruled), traceId },
      device: ruled.input.device?.id,
      client: connections.facts(request).client,
    });
    send(response, 201, { certificate, serial, keyId, principals, validBefore });
  }
}

/** When what was allowed is over at the latest, epoch milliseconds. */
function until({ session, ruling }: Ruled): number {
  const { maxSession } = ruling.decision.obligations ?? {};
  const longest = maxSession === undefined ? Number.POSITIVE_INFINITY : session.login.at + maxSession;
  return Math.min(session.expiresAt, longest);
}

/** The request is not what it should be. */
class Malformed extends Error {}

async function bodyOf({ request }: Exchange): Promise<z.infer<typeof bodySchema>> {
  if (request.method !== 'POST') throw new Malformed('ask with POST');
  const body = await readBody(request, BODY_LIMIT);
  if (body === null) throw new Malformed(`the body is over ${BODY_LIMIT} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Malformed('the body is not JSON');
  }
  const parsed = bodySchema.safeParse(json);
  if (!parsed.success) throw new Malformed(z.prettifyError(parsed.error));
  return parsed.data;
}

function send(response: Exchange['response'], status: number, body: Readonly<Record<string, unknown>>): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
