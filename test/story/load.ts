// People who ask without a pause, each time on a connection of its own, and what they got. A gateway that takes no
// connection, or resets it before anything was asked, is passed over for the next one, as a balancer would.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { StoryInstallation } from './installation.ts';

/** `asked`: the connection was there, and the request may have been sent. */
type Refused = Error & { readonly asked?: boolean };

export interface LoadOptions {
  readonly app: string;
  readonly cookie: string;
  readonly clients: number;
  readonly method?: 'GET' | 'POST';
  /** People's ports of all gateways; the installation's own if left out. */
  readonly ports?: readonly number[];
}

export class Load {
  /** Answers by what the app said of itself in `X-Via`. */
  readonly via: Map<string, number> = new Map();
  /** Answers by port. */
  readonly byPort: Map<number, number> = new Map();
  /** Everything that was not 200, as words. */
  readonly failures: string[] = [];
  answered = 0;
  readonly #installation: StoryInstallation;
  readonly #options: LoadOptions;
  readonly #clients: Promise<void>[];
  #going = true;

  constructor(installation: StoryInstallation, options: LoadOptions) {
    this.#installation = installation;
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, (_, index) => this.#client(index));
    installation.undo(() => this.stop());
  }

  /** Waits for that many more answers. */
  async more(count: number): Promise<void> {
    const enough = this.answered + this.failures.length + count;
    while (this.answered + this.failures.length < enough)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async stop(): Promise<this> {
    this.#going = false;
    await Promise.all(this.#clients);
    return this;
  }

  async #client(index: number): Promise<void> {
    const { method = 'GET', ports = [this.#installation.ports.people] } = this.#options;
    for (let turn = index; this.#going; turn += 1) {
      const order = ports.map((_, at) => ports[(turn + at) % ports.length] as number);
      let failure = 'no gateway takes a connection';
      for (const port of order) {
        try {
          const { statusCode, headers } = await this.#ask(port, method);
          const via = String(headers['x-via']);
          this.via.set(via, (this.via.get(via) ?? 0) + 1);
          this.byPort.set(port, (this.byPort.get(port) ?? 0) + 1);
          failure = statusCode === 200 ? '' : `${method} answered ${statusCode}`;
        } catch (error) {
          const { code, message } = error as NodeJS.ErrnoException;
          if (code === 'ECONNREFUSED' || (error as Refused).asked === false) continue;
          failure = `${method} broke: ${message}`;
        }
        break;
      }
      if (failure === '') this.answered += 1;
      else this.failures.push(failure);
    }
  }

  async #ask(port: number, method: string): Promise<IncomingMessage> {
    const { app, cookie } = this.#options;
    const host = `${app}.localhost`;
    const asked = request({
      ...{ host: '127.0.0.1', port, servername: host, agent: false, method, path: '/' },
      ca: this.#installation.ca,
      headers: { host: `${host}:${this.#installation.ports.people}`, cookie, accept: 'application/json' },
    });
    let open = false;
    asked.once('socket', (socket) =>
      socket.once('secureConnect', () => {
        open = true;
      }),
    );
    asked.end(method === 'POST' ? 'x' : undefined);
    try {
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      await text(response);
      return response;
    } catch (error) {
      throw Object.assign(error as Error, { asked: open });
    }
  }
}
