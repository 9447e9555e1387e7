// Small requests beside bulk on a long line: how long they wait, with the whole product at both ends of it.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { Part } from '#test/story/part';
import { HOST } from '../spine/documents.ts';
import { startProduct, type Undo, within } from '../spine/product.ts';
import { startApp } from './app.ts';
import { percentile } from './percentile.ts';

const MEGABITS = 100;
/** There and back. */
const ROUND_TRIP = 20;
const DOWNLOADS = 8;
const SECONDS = 12;
/** Milliseconds between two small requests. */
const PAUSE = 20;
/** Seconds until the downloads have taken up the line. */
const LEAD_IN = 3;
const MEGABYTE = 1e6;

async function startLine(directory: string, undo: Undo, port: number): Promise<number> {
  const args = [join(import.meta.dirname, 'line-proxy.ts'), port, MEGABITS, ROUND_TRIP / 2].map(String);
  const part = new Part('line', process.execPath, args, { cwd: directory, log: join(directory, 'line.log') });
  undo.push(() => part.stop());
  return Number((await part.said(/^port (\d+)$/m))[1]);
}

export async function line(progress: (line: string) => void): Promise<Record<string, number>> {
  return within(async (directory, undo) => {
    const app = await startApp(undo);
    const { origin, authority, signIn } = await startProduct(directory, undo, {
      app: app.port,
      line: (connectors) => startLine(directory, undo, connectors),
    });
    const headers = { cookie: (await signIn('ada')).cookieHeader(HOST) };
    const people = (): Agent => {
      const agent = new Agent({ connect: { ca: authority.certificate, lookup: localhostAwareLookup } });
      undo.push(() => agent.destroy());
      return agent;
    };
    const quick = people();
    const small = async (): Promise<number> => {
      const asked = performance.now();
      const { statusCode, body } = await request(origin, { headers, dispatcher: quick });
      await body.dump();
      if (statusCode !== 200) throw new Error(`a small request was answered ${statusCode}`);
      return performance.now() - asked;
    };
    const smalls = async (seconds: number): Promise<number[]> => {
      const until = performance.now() + seconds * 1000;
      const took: number[] = [];
      while (performance.now() < until) {
        took.push(await small());
        await sleep(PAUSE);
      }
      return took;
    };

    progress(`small requests alone on a line of ${MEGABITS} Mbit/s and ${ROUND_TRIP} ms`);
    await smalls(1);
    const alone = await smalls(3);
    progress(`and beside ${DOWNLOADS} downloads`);
    let received = 0;
    const stop = new AbortController();
    const downloads = Array.from({ length: DOWNLOADS }, async () => {
      const options = { headers, dispatcher: people(), signal: stop.signal };
      const { body } = await request(`${origin}/bulk?${1e12}`, options);
      for await (const chunk of body) received += (chunk as Buffer).length;
    });
    await smalls(LEAD_IN);
    const [from, since] = [received, performance.now()];
    const beside = await smalls(SECONDS);
    const rate = (received - from) / (performance.now() - since) / 1000;
    stop.abort();
    await Promise.allSettled(downloads);
    return {
      hol_small_p50_ms: percentile(beside, 50),
      hol_small_p99_ms: percentile(beside, 99),
      hol_alone_p50_ms: percentile(alone, 50),
      hol_bulk_mb_per_s: (rate * 1e6) / MEGABYTE,
      hol_small_requests: beside.length,
    };
  });
}
