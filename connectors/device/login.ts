// `sallyport login`: a browser on this computer approves this command line (RFC 8252: loopback redirect and PKCE).
// The token never passes the browser, and a code caught on the way is worth nothing without the verifier kept here.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Agent } from 'node:https';
import type { AddressInfo } from 'node:net';
import { APPROVE_PATH, numberOf, REDEEM_PATH } from '../wire/terminal.ts';
import { tlsFailure } from '../wire/tls-failure.ts';
import type { Credentials } from './credentials.ts';
import { postJson } from './transport.ts';

/** How long a person has to approve, in milliseconds. */
const PATIENCE = 5 * 60_000;

/** Signing in did not work. `message` says what to do. */
export class LoginError extends Error {
  readonly code: 'not-approved' | 'refused' | 'unreachable';
  constructor(code: LoginError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface LoginOptions {
  /** The portal's origin. */
  readonly portal: URL;
  readonly agent: Agent;
  /** Shows the person where to go and the number to compare; may open a browser. */
  show(url: string, number: string): void;
}

/** Waits for the person's approval in the browser and redeems it. Throws LoginError. */
export async function login({ portal, agent, show }: LoginOptions): Promise<Omit<Credentials, 'ca'>> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const state = randomBytes(16).toString('base64url');
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const url = new URL(APPROVE_PATH, portal);
    url.search = new URLSearchParams({ port: String(port), challenge, state }).toString();
    const approved = codeFrom(server, state);
    show(url.href, numberOf(challenge));
    return await redeem(portal, agent, await approved, verifier);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The code the browser brings. Requests without our state are answered and otherwise ignored. */
function codeFrom(server: Server, state: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new LoginError('not-approved', 'Nobody approved this sign-in within five minutes. Run it again.'),
      );
    }, PATIENCE);
    server.on('request', (request, response) => {
      // Not as an address: not every target is one, and any page may send its visitors' browsers here.
      const [path, query] = (request.url ?? '').split('?', 2);
      const sent = new URLSearchParams(query);
      const code = sent.get('code');
      const ours = path === '/' && sent.get('state') === state && code !== null;
      response.writeHead(ours ? 200 : 404, {
        'Content-Type': 'text/html; charset=utf-8',
        'Cache-Control': 'no-store',
      });
      response.end(
        ours
          ? '<!doctype html><title>Sallyport</title><p>You are signed in. You can close this page and go back to your terminal.</p>'
          : '',
      );
      if (!ours) return;
      clearTimeout(timer);
      resolve(code);
    });
  });
}

async function redeem(
  portal: URL,
  agent: Agent,
  code: string,
  verifier: string,
): Promise<Omit<Credentials, 'ca'>> {
  const reply = await postJson(agent, new URL(REDEEM_PATH, portal), { code, verifier }).catch(
    (cause: Error) => {
      throw new LoginError('unreachable', `${portal.origin} cannot be reached: ${tlsFailure(cause)}`, {
        cause,
      });
    },
  );
  const { token, expiresAt, name, message } = (reply.body ?? {}) as Record<string, unknown>;
  if (
    reply.status === 201 &&
    typeof token === 'string' &&
    typeof expiresAt === 'number' &&
    typeof name === 'string'
  ) {
    return { portal: portal.origin, token, expiresAt, name };
  }
  const why = typeof message === 'string' ? message : `it answered ${reply.status}`;
  throw new LoginError('refused', `${portal.origin} refused the sign-in: ${why}`);
}
