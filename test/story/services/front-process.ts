// The front end of the walk, a process of its own: takes requests over mutual TLS with its connector, checks who asks,
// and asks the storage service in that name. Which certificate it proves itself with can be chosen, to choose wrongly.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { Agent, type Dispatcher, request } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { ASSERTION_HEADER, AssertionError } from '#gateway/pki/verify';
import { type Identity, jsonOf, type ProcessConfig, verifierOf } from './back-end.ts';

/** Milliseconds: less than a token lives. */
const AGAIN_LIMIT = 30_000;

interface FrontConfig extends ProcessConfig {
  /** Where services reach the gateway. */
  readonly services: number;
  /** By name: what it may prove itself with. */
  readonly identities: Readonly<Record<string, Identity | null>>;
}

const config: FrontConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const verify = verifierOf(config, 'front');
const agents = new Map<string, Agent>();

function as(name: string): Agent {
  const known = agents.get(name);
  if (known !== undefined) return known;
  const connect = { ca: config.ca, lookup: localhostAwareLookup, ...config.identities[name] };
  const agent = new Agent({ connect });
  agents.set(name, agent);
  return agent;
}

/** What happened at one hop. */
interface Hop {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function ask(dispatcher: Agent, url: string, options: object): Promise<Hop> {
  const reply = await request(url, { dispatcher, ...options } as Parameters<typeof request>[1] & {
    dispatcher: Dispatcher;
  });
  return { status: reply.statusCode, body: jsonOf(await reply.body.text()) };
}

/** The second hop: a token in the person's name, then storage. */
async function records(assertion: string, traceparent: string, wish: URLSearchParams): Promise<object> {
  const { services, portal } = config;
  const method = wish.get('method') ?? 'GET';
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: assertion,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'storage',
    scope: method,
  });
  const exchange = await ask(
    as(wish.get('identity') ?? 'front'),
    `https://${new URL(portal).hostname}:${services}/oauth2/token`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', traceparent },
      body: form.toString(),
    },
  );
  if (exchange.status !== 200) return { exchange };
  const useToken = (): Promise<Hop> =>
    ask(
      as(wish.get('second') ?? wish.get('identity') ?? 'front'),
      `https://storage.localhost:${services}/records`,
      { method, headers: { 'x-sallyport-on-behalf-of': String(exchange.body['access_token']), traceparent } },
    );
  const storage = await useToken();
  if (wish.has('again')) await useOn(useToken);
  return { exchange: { status: 200 }, storage };
}

/** Goes on with one token until it is refused, and says so; nobody who asked needs to be there any more. */
async function useOn(useToken: () => Promise<Hop>): Promise<void> {
  process.stdout.write('the token is in use\n');
  const until = Date.now() + AGAIN_LIMIT;
  while (Date.now() < until) {
    const { status, body } = await useToken();
    // What is under way when access is taken away is cut off, and says so; the next is refused for its own reason.
    if (status !== 200 && body['error'] !== 'access-ended') {
      process.stdout.write(`the token is refused: ${status} ${body['code']}\n`);
      return;
    }
    await sleep(50);
  }
}

const server = createServer(
  { ...config.tls, requestCert: true, rejectUnauthorized: true },
  async ({ url = '/', headers, socket }, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const assertion = headers[ASSERTION_HEADER]?.toString() ?? '';
    const certificate = (socket as TLSSocket).getPeerX509Certificate();
    try {
      const { txn } = await verify(assertion, { certificate });
      const wish = new URL(url, 'https://front').searchParams;
      send(200, { txn, ...(await records(assertion, String(headers['traceparent']), wish)) });
    } catch (error) {
      send(error instanceof AssertionError ? 401 : 500, {
        code: (error as { code?: string }).code ?? String(error),
      });
    }
  },
);
server.listen(config.port, '127.0.0.1', () => process.stdout.write('front end ready\n'));
process.once('SIGTERM', () => process.exit(0));
