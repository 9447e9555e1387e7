// A receiver of events over HTTP that can fail in every way the contract asks for.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sink } from '#siem/sinks/sink';
import type { Receiver, Trouble } from './contract.ts';

/** What one kind of receiver makes of a request. */
export interface Dialect {
  /** Documents in the body, in order; undefined for a request that carries none (`answerOther` answers it). */
  documents(request: IncomingMessage, body: Buffer): unknown[] | undefined;
  /** The answer to a delivery: `taken` tells for each document. */
  answer(taken: readonly ('taken' | 'again' | 'refused')[]): { status: number; body: string };
  answerOther?(request: IncomingMessage, body: Buffer): { status: number; body: string };
  /** The whole delivery is refused when one document is. */
  readonly whole: boolean;
}

export async function httpReceiver(dialect: Dialect, sinkAt: (url: string) => Sink): Promise<Receiver> {
  const ids: string[] = [];
  const poisoned = new Set<string>();
  let trouble: Trouble | undefined;

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const documents = dialect.documents(request, body);
    if (documents === undefined) {
      const other = dialect.answerOther?.(request, body) ?? { status: 404, body: '' };
      response.writeHead(other.status).end(other.body);
      return;
    }
    if (trouble === 'outage') {
      // Both kinds of outage: a proxy without its server, and nobody at all.
      if (Math.random() < 0.5) response.writeHead(503).end();
      else request.socket.destroy();
      return;
    }
    if (trouble === 'throttled') return void response.writeHead(429).end();
    if (trouble === 'slow') await sleep(100);
    const found = documents.map((one) => (one as { event: { id: string } }).event.id);
    const taken = found.map((id, index) => {
      if (poisoned.has(id)) return 'refused' as const;
      return trouble === 'partly' && index % 2 === 1 ? ('again' as const) : ('taken' as const);
    });
    const none = dialect.whole && taken.includes('refused');
    if (!none) ids.push(...found.filter((_, index) => taken[index] === 'taken'));
    if (trouble === 'answer-lost') return void request.socket.destroy();
    const answer = none ? { status: 400, body: '' } : dialect.answer(taken);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  }

  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    sink: () => sinkAt(url),
    ids: () => ids,
    trouble: async (kind) => {
      trouble = kind;
    },
    poison: (id) => void poisoned.add(id),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function jsonLines(body: Buffer): unknown[] {
  return body
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
