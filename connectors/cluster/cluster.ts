// The connector beside the apps: takes the gateway's streams and serves them from its own allow-list, by id.
// Whatever a gateway asks, a connection is only ever opened to an address of that list.
import type { RequestHead } from '../wire/head.ts';
import type { OpenRequest } from '../wire/open.ts';
import { IGNORE, type Stream, type StreamHandler } from '../wire/stream.ts';
import { App, type AppTarget } from './app.ts';
import { DirectExchange } from './direct.ts';
import { plainExchange } from './plain.ts';
import { PooledExchange } from './pooled.ts';

function announcesTrailers({ headers }: RequestHead): boolean {
  return headers.some((field, i) => i % 2 === 0 && field.length === 7 && field.toLowerCase() === 'trailer');
}

export class Cluster {
  readonly #apps: ReadonlyMap<string, App>;

  /** App ids and their targets. */
  constructor(targets: Readonly<Record<string, AppTarget>>) {
    this.#apps = new Map(Object.entries(targets).map(([id, target]) => [id, new App(id, target)]));
  }

  get ids(): string[] {
    return [...this.#apps.keys()];
  }

  /** Serves a stream, or resets it with the reason. */
  open(stream: Stream, open: OpenRequest, fin: boolean): StreamHandler {
    const app = this.#apps.get(open.app);
    if (app === undefined) {
      stream.reset('unknown-app', 'not in the allow-list of this connector');
      return IGNORE;
    }
    if ((open.kind === 'tcp') !== (app.origin.protocol === 'tcp:')) {
      stream.reset('refused', `this connector knows the app by ${app.origin.protocol}//`);
      return IGNORE;
    }
    if (open.kind === 'tcp') return plainExchange(app, stream);
    const { request } = open;
    if (request.method === 'CONNECT') {
      stream.reset('bad-head', 'CONNECT is not carried');
      return IGNORE;
    }
    const upgrade = open.kind === 'upgrade';
    const direct = upgrade || request.path === '*' || (!fin && announcesTrailers(request));
    return direct
      ? new DirectExchange(app, stream, request, upgrade, fin)
      : new PooledExchange(app, stream, request, fin);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#apps.values()].map((app) => app.close()));
  }
}
