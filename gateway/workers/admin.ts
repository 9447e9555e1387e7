// The admin socket of a gateway that is several workers. What is asked of the shared state any worker answers; what each
// has to itself, all of them are asked, and their answers become one. Who may ask for what the workers know: requests go
// on as they came, signature and all.
import { randomUUID } from 'node:crypto';
import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { MAX_BUNDLE } from '#gateway/change/bundle';
import { CHANGES_PATH } from '#gateway/console/admin';
import { ROUND_HEADER } from '#gateway/console/signed-request';
import { type AdminPlace, adminSocket, listenForAdmins } from '#gateway/console/socket';
import { OWN_BODY } from '#gateway/edge/limits';
import { ofAllWorkers } from './of-all.ts';
import { workerDirectory } from './share.ts';
import type { WorkerProcess } from './worker-process.ts';

interface Reply {
  readonly status: number;
  readonly text: string;
  /** As the worker said it. */
  readonly retryAfter?: string | undefined;
}

type Answering = Pick<WorkerProcess, 'number' | 'health'>;
/** Listens where the configuration says. */
export async function adminOfAll(config: AdminPlace, workers: readonly Answering[]): Promise<Server> {
  return listenForAdmins(config, (asked, response) =>
    answer(config.state, workers, asked, response).catch((error: Error) =>
      send(response, { status: 503, text: told('unavailable', error.message) }),
    ),
  );
}

async function answer(
  state: string,
  workers: readonly Answering[],
  asked: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await bodyOf(asked, asked.url === CHANGES_PATH ? MAX_BUNDLE : OWN_BODY);
  if (body === undefined)
    return send(response, { status: 413, text: told('too-large', 'That is too much.') });
  const serving = workers.filter(({ health }) => health !== undefined);
  // By this each knows that it is asked what another one is asked, and not the same once more.
  const headers = { ...toPassOn(asked), [ROUND_HEADER]: randomUUID() };
  const ofAll = ofAllWorkers(asked.method ?? '', asked.url ?? '');
  if (ofAll?.later === false && serving.length < workers.length) {
    const missing = away(workers, serving).map((one) => `worker ${one}`);
    const message = `this takes all workers, and ${missing.join(', ')} is not there: try again when it is`;
    return send(response, { status: 409, text: told('not-now', message) });
  }
  const missed = ofAll === undefined ? GONE : ofAll.later ? DIED : NOTHING;
  const put = ({ number }: Answering): Promise<Reply | undefined> =>
    ask(workerDirectory(state, number), asked, { headers, body, missed });
  const replies: [worker: number, reply: Reply][] = [];
  if (ofAll === undefined) {
    for (const worker of serving) {
      const reply = await put(worker);
      if (reply !== undefined) return send(response, reply);
    }
  } else {
    const found = await Promise.all(
      serving.map(async (worker) => [worker.number, await put(worker)] as const),
    );
    for (const [number, reply] of found) if (reply !== undefined) replies.push([number, reply]);
  }
  if (ofAll === undefined || replies.length === 0)
    return send(response, { status: 503, text: told('unavailable', 'no worker serves') });
  // The first that was refused says why for all.
  const { good = [200] } = ofAll;
  const bad = replies.find(([, { status }]) => !good.includes(status));
  if (bad !== undefined) return send(response, bad[1]);
  const status = Math.max(...replies.map(([, reply]) => reply.status));
  const bodies = replies.map(([number, { text }]) => [number, JSON.parse(text) as never] as const);
  const absent = away(
    workers,
    replies.map(([number]) => ({ number })),
  );
  send(response, { status, text: JSON.stringify(ofAll.merge(bodies, absent)) });
}

function away(
  workers: readonly Pick<Answering, 'number'>[],
  there: readonly Pick<Answering, 'number'>[],
): readonly number[] {
  const numbers = new Set(there.map(({ number }) => number));
  return workers.map(({ number }) => number).filter((number) => !numbers.has(number));
}

async function bodyOf(asked: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of asked as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function toPassOn({ headers }: IncomingMessage): OutgoingHttpHeaders {
  const ours = Object.entries(headers).filter(
    ([name]) => name.startsWith('sallyport-') || name === 'content-type',
  );
  return Object.fromEntries(ours);
}

const NOTHING: ReadonlySet<string> = new Set();
/** Nobody was there to be asked: a worker that died a moment ago. */
const GONE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);
/** Or it died while it was asked. */
const DIED: ReadonlySet<string> = new Set([...GONE, 'ECONNRESET', 'EPIPE']);

interface Question {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** Codes of errors that mean that the worker is not there. */
  readonly missed: ReadonlySet<string>;
}

/** Undefined if the worker is not there. */
function ask(
  state: string,
  { method, url }: IncomingMessage,
  { headers, body, missed }: Question,
): Promise<Reply | undefined> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      missed.has(error.code ?? '') ? resolve(undefined) : reject(error);
    const call = request(
      {
        ...{ socketPath: adminSocket({ state }), method, path: url },
        headers: { ...headers, 'content-length': body.length },
      },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        reply.on('error', failed);
        const { 'retry-after': retryAfter } = reply.headers;
        reply.on('end', () => resolve({ status: reply.statusCode ?? 502, text, retryAfter }));
      },
    );
    call.on('error', failed);
    call.end(body);
  });
}

function send(response: ServerResponse, { status, text, retryAfter }: Reply): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(text);
}

function told(error: string, message: string): string {
  return JSON.stringify({ error, message });
}
