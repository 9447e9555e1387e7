// Elasticsearch and OpenSearch by _bulk: each event is created once under its own id, so that a repeat is harmless.
import { parseRecord } from '../outbox/segment.ts';
import { HttpReceiver, type HttpTarget, saidIn } from './http.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, type Verdict } from './sink.ts';

export interface ElasticsearchOptions extends HttpTarget {
  readonly name: string;
  /** The base64 form that Elasticsearch shows once as "encoded". */
  readonly apiKey?: string | undefined;
  /** Where there are no API keys, as in OpenSearch. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
}

interface BulkItem {
  readonly status: number;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

interface Routing {
  readonly event?: { readonly id?: string };
  readonly data_stream?: { readonly dataset?: string; readonly namespace?: string };
}

/** Characters of why a record was refused. */
const MOST_WORDS = 500;

export class ElasticsearchSink implements Sink {
  readonly name: string;
  readonly type = 'elasticsearch';
  readonly #http: HttpReceiver;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: ElasticsearchOptions) {
    this.name = options.name;
    this.#http = new HttpReceiver(options);
    this.#headers = { 'content-type': 'application/x-ndjson', ...authorizationOf(options) };
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const routes = batch.map(({ line }) => actionFor(line));
    const body = batch.flatMap(({ line }, index) => {
      const action = routes[index];
      return action === undefined ? [] : [action, '\n', line.toString('utf8'), '\n'];
    });
    const unroutable: Verdict = { kind: 'rejected', why: 'the record names no id or data stream' };
    if (body.length === 0) return routes.map(() => unroutable);
    const path = '/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason';
    const { text } = await this.#http.send(path, { headers: this.#headers, body: body.join(''), signal });
    const verdicts = itemsOf(text).map((item) => verdictOf(item, this.#headers));
    const sent = routes.filter((route) => route !== undefined).length;
    if (verdicts.length !== sent) {
      throw new SinkError(
        'unavailable',
        `the answer speaks of ${verdicts.length} records, ${sent} were sent`,
      );
    }
    return routes.map((route) => (route === undefined ? unroutable : (verdicts.shift() ?? unroutable)));
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

/** The header that proves who we are, if any. */
export function authorizationOf({ apiKey, user }: Pick<ElasticsearchOptions, 'apiKey' | 'user'>): {
  authorization?: string;
} {
  if (apiKey !== undefined) return { authorization: `ApiKey ${apiKey}` };
  if (user === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}` };
}

function actionFor(line: Buffer): string | undefined {
  const { event, data_stream: stream } = (parseRecord(line) ?? {}) as Routing;
  if (event?.id === undefined || stream?.dataset === undefined || stream.namespace === undefined)
    return undefined;
  const index = `logs-${stream.dataset}-${stream.namespace}`;
  return JSON.stringify({ create: { _index: index, _id: event.id } });
}

function itemsOf(text: string): BulkItem[] {
  try {
    const answer = JSON.parse(text) as { items: { create: BulkItem }[] };
    return answer.items.map(({ create }) => create);
  } catch (cause) {
    throw new SinkError('unavailable', 'the answer to _bulk cannot be read', { cause });
  }
}

/** What a cluster answers with 400 although nothing is wrong with the record: no room for a new index, a closed one, no pipeline. */
const CLUSTER_TROUBLES =
  /^(?:validation_exception|index_closed_exception):|: Validation Failed: .* shards|: pipeline with id /;

function verdictOf({ status, error }: BulkItem, headers: Readonly<Record<string, string>>): Verdict {
  // 409: this id is there already, from a delivery whose answer we did not see.
  if ((status >= 200 && status < 300) || status === 409) return DELIVERED;
  const why = saidIn(`${status} ${error?.type ?? ''}: ${error?.reason ?? ''}`, headers, MOST_WORDS);
  const passing = status === 429 || status >= 500 || status === 401 || status === 403 || status === 404;
  if (passing || CLUSTER_TROUBLES.test(`${error?.type}: ${error?.reason}`)) return { kind: 'retry', why };
  return { kind: 'rejected', why };
}
