// People who stop reading while a gigabyte waits for each of them: what that makes gateway and connector keep, and what
// somebody else notices of it.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { HOST } from '../spine/documents.ts';
import { type Product, startProduct, type Undo, within } from '../spine/product.ts';
import { startApp } from './app.ts';
import { COLLECTING, Memory } from './memory.ts';
import { percentile } from './percentile.ts';

const READERS = 40;
const PENDING = 1e9;
const KB = 1024;
/** Milliseconds that somebody else asks for in one round. */
const ASKING = 2_000;
/** The best of the rounds counts: slow readers would weigh on each, other work on the machine only on some. */
const ROUNDS = 3;

export async function slow(progress: (line: string) => void): Promise<Record<string, number>> {
  return within(async (directory, undo) => {
    const app = await startApp(undo);
    const flags = { gatewayFlags: COLLECTING, connectorFlags: COLLECTING };
    const product = await startProduct(directory, undo, { app: app.port, ...flags });
    const cookie = (await product.signIn('ada')).cookieHeader(HOST);
    const ask = asking(product, cookie, undo);
    const gateway = new Memory(product.gateway);
    const connector = new Memory(product.connector);
    await ask(ASKING);
    const before = { gateway: await gateway.settled(), connector: await connector.settled() };
    const alone = await bestP99(ask);
    progress(`${READERS} readers stop, ${PENDING / 1e9} GB waits for each`);
    for (let reader = 0; reader < READERS; reader += 1) await stall(product, cookie, undo);
    let written = -1;
    while (written !== app.written()) {
      written = app.written();
      await sleep(500);
    }
    const beside = await bestP99(ask);
    const after = { gateway: await gateway.settled(), connector: await connector.settled() };
    return {
      slow_reader_gateway_kb: (after.gateway.external - before.gateway.external) / KB / READERS,
      slow_reader_connector_kb: (after.connector.external - before.connector.external) / KB / READERS,
      slow_reader_gateway_rss_kb: (after.gateway.rss - before.gateway.rss) / KB / READERS,
      slow_reader_connector_rss_kb: (after.connector.rss - before.connector.rss) / KB / READERS,
      slow_reader_app_sent_mb: written / 1e6 / READERS,
      ratio_slow_reader_others_p99: beside / alone,
      slow_reader_others_p99_ms: beside,
      others_alone_p99_ms: alone,
    };
  });
}

/** Asks one request after another for so many milliseconds; how long each took. */
function asking(
  { origin, authority }: Product,
  cookie: string,
  undo: Undo,
): (ms: number) => Promise<number[]> {
  const dispatcher = new Agent({ connect: { ca: authority.certificate, lookup: localhostAwareLookup } });

  undo.push(() => dispatcher.destroy());
  return async (ms) => {
    const until = performance.now() + ms;
    const took: number[] = [];
    while (performance.now() < until) {
      const asked = performance.now();
      const { statusCode, body } = await request(origin, { headers: { cookie }, dispatcher });
      await body.dump();
      if (statusCode !== 200) throw new Error(`somebody else was answered ${statusCode}`);
      took.push(performance.now() - asked);
    }
    return took;
  };
}

async function bestP99(ask: (ms: number) => Promise<number[]>): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(percentile(await ask(ASKING), 99));
  return Math.min(...rounds);
}

/** Asks for a lot and reads nothing of it. */
async function stall({ origin, authority }: Product, cookie: string, undo: Undo): Promise<void> {
  const options = {
    ca: authority.certificate,
    lookup: localhostAwareLookup,
    agent: false,
    headers: { cookie },
  };
  const asked = httpsRequest(`${origin}/bulk?${PENDING}`, options);
  undo.push(() => asked.destroy());
  asked.on('error', () => {});
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  response.pause();
}
