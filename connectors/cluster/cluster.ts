// The connector beside the apps: takes the gateway's streams and serves them from its own allow-list, by id.
// Whatever a gateway asks, a connection is only ever opened to an address of that list.
import type { RequestHead } from '../wire/head.ts';
import type { OpenRequest } from '../wire/open.ts';
import { IGNORE, type Stream, type StreamHandler } from '../wire/stream.ts';
import { App, type AppTarget } from './app.ts';
import { beginning } from './beginning.ts';
import { DirectExchange } from './direct.ts';
import { plainExchange } from './plain.ts';
import { PooledExchange } from './pooled.ts';
import type { TokenReviewer } from './token-reviewer.ts';

function announcesTrailers({ headers }: RequestHead): boolean {
  return headers.some((field, i) => i % 2 === 0 && field.length === 7 && field.toLowerCase() === 'trailer');
}

/** An app that is spoken to without TLS believes only in destinations (RFC 4918 10.3) that say so, as mod_dav and nginx do. */
function knownTo({ origin }: App, request: RequestHead): RequestHead {
  if (origin.protocol !== 'http:' || (request.method !== 'COPY' && request.method !== 'MOVE')) return request;
  const headers = request.headers.map((field, i) => {
    const named = i % 2 === 1 && request.headers[i - 1]?.toLowerCase() === 'destination';
    return named ? field.replace(/^https:/, 'http:') : field;
  });
  return { ...request, headers };
}

/** What one tunnel announces, and serves for as long as it lasts. */
export interface Serving {
  readonly apps: readonly string[];
  /** By app, the thumbprint of the client certificate it is shown. */
  readonly certificates: Readonly<Record<string, string>>;
  /** Serves a stream, or resets it with the reason. */
  open(stream: Stream, open: OpenRequest, fin: boolean): StreamHandler;
}

export class Cluster {
  readonly #reviewers: ReadonlyMap<string, TokenReviewer>;
  #apps: ReadonlyMap<string, App>;
  #serving: Serving;

  /** App ids and their targets; reviewers by the ids under which they are asked. */
  constructor(
    targets: Readonly<Record<string, AppTarget>>,
    reviewers: ReadonlyMap<string, TokenReviewer> = new Map(),
  ) {
    this.#reviewers = reviewers;
    this.#apps = new Map(Object.entries(targets).map(([id, target]) => [id, new App(id, target)]));
    this.#serving = servingOf(this.#apps, reviewers);
  }

  /** As of now. Tunnels that announced something else keep to that: what they sent is bound to it. */
  get serving(): Serving {
    return this.#serving;
  }

  /**
   * Dials an app otherwise from now on; undefined serves it no more. What the app was before serves the tunnels that
   * announced it and goes with the last of them: its idle connections close by themselves.
   */
  retarget(id: string, target: AppTarget | undefined): void {
    const apps = new Map(this.#apps);
    if (target === undefined) apps.delete(id);
    else apps.set(id, new App(id, target));
    this.#apps = apps;
    this.#serving = servingOf(apps, this.#reviewers);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#apps.values(), ...this.#reviewers.values()].map((one) => one.close()));
  }
}

function servingOf(apps: ReadonlyMap<string, App>, reviewers: ReadonlyMap<string, TokenReviewer>): Serving {
  const shown = [...apps].flatMap(([id, { certificate }]) => (certificate ? [[id, certificate]] : []));
  return {
    apps: [...apps.keys(), ...reviewers.keys()],
    certificates: Object.fromEntries(shown),
    open: (stream, open, fin) =>
      reviewers.get(open.app)?.open(stream, open, fin) ?? serve(apps, stream, open, fin),
  };
}

function serve(
  apps: ReadonlyMap<string, App>,
  stream: Stream,
  open: OpenRequest,
  fin: boolean,
): StreamHandler {
  const app = apps.get(open.app);
  if (app === undefined) {
    stream.reset('unknown-app', 'not in the allow-list of this connector');
    return IGNORE;
  }
  if ((open.kind === 'tcp') !== (app.origin.protocol === 'tcp:')) {
    stream.reset('refused', `this connector knows the app by ${app.origin.protocol}//`);
    return IGNORE;
  }
  if (open.kind === 'tcp') return plainExchange(app, stream, fin);
  const request = knownTo(app, open.request);
  if (request.method === 'CONNECT') {
    stream.reset('bad-head', 'CONNECT is not carried');
    return IGNORE;
  }
  const upgrade = open.kind === 'upgrade';
  if (upgrade || request.path === '*' || (!fin && announcesTrailers(request)))
    return new DirectExchange(app, stream, request, upgrade, fin);
  return fin ? new PooledExchange(app, stream, request, fin) : beginning(app, stream, request);
}
