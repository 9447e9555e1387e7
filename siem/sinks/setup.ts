// Makes what a search engine needs before events come, after it was asked which one it is.
import { type SetupOptions, type SetupRequest, setupRequests } from './elasticsearch-setup.ts';
import type { HttpReceiver } from './http.ts';
import { ISM_POLICY, ismPolicy, opensearchRequests } from './opensearch-setup.ts';
import { SinkError } from './sink.ts';

/** Told of each thing that was made, or could not be. */
export interface SetupListener {
  made(path: string): void;
  warn(what: string): void;
}

/** Throws SinkError at the first request that is refused; what was made before stays, and repeating is harmless. */
export async function setUp(
  http: HttpReceiver,
  authorization: Readonly<Record<string, string>>,
  options: SetupOptions,
  listener: SetupListener,
): Promise<void> {
  const headers = { 'content-type': 'application/json', ...authorization };
  const { signal } = new AbortController();
  const { text } = await http.send('/', { method: 'GET', headers, signal });
  const opensearch = isOpenSearch(text);
  for (const { path, body } of opensearch ? opensearchRequests() : setupRequests(options)) {
    await put({ path, body });
  }
  if (opensearch) await putLifeCycle();

  async function put({ path, body }: SetupRequest): Promise<void> {
    try {
      await http.send(path, { method: 'PUT', headers, body: JSON.stringify(body), signal });
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      throw new SinkError(error.code, `${path.split('?')[0]}: ${error.message}`, { cause: error });
    }
    listener.made(path);
  }

  /** A policy that is there is replaced only by whoever names its version. */
  async function putLifeCycle(): Promise<void> {
    const accept = [400, 404];
    const found = await http.send(ISM_POLICY, { method: 'GET', headers, signal, accept });
    if (found.status === 400) {
      listener.warn('this OpenSearch has no index management: events stay until somebody deletes them');
      return;
    }
    const { _seq_no: number, _primary_term: term } = found.status === 404 ? {} : versionOf(found.text);
    const version = number === undefined ? '' : `?if_seq_no=${number}&if_primary_term=${term}`;
    await put({ path: `${ISM_POLICY}${version}`, body: ismPolicy(options) });
  }
}

const NEITHER = new SinkError(
  'refused',
  'what answers there is neither Elasticsearch nor OpenSearch: is the url right?',
);

function isOpenSearch(text: string): boolean {
  const { version } = parse(text) as { version?: { number?: unknown; distribution?: unknown } };
  if (typeof version?.number !== 'string') throw NEITHER;
  return version.distribution === 'opensearch';
}

function versionOf(text: string): { _seq_no?: number; _primary_term?: number } {
  return parse(text);
}

function parse(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw NEITHER;
}
