// A visitor without a browser: keeps cookies and follows redirects, to sign in at the demo's provider unattended.
import { Agent, request } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';

export interface Reply {
  readonly status: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const MAX_REDIRECTS = 20;

export class Visitor {
  /** Cookies by host, then by name. */
  readonly cookies: Map<string, Map<string, string>> = new Map();
  readonly #agent: Agent;

  /** `ca`: PEM of what to trust. */
  constructor(ca: string) {
    this.#agent = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
  }

  /** One request with this visitor's cookies; redirects are not followed. */
  async ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Reply> {
    const { hostname } = new URL(url);
    const cookie = this.cookieHeader(hostname);
    const reply = await request(url, {
      dispatcher: this.#agent,
      method: method as 'GET',
      headers: { ...(cookie === '' ? {} : { cookie }), ...headers },
      body: body ?? null,
    });
    this.#keepCookies(hostname, [reply.headers['set-cookie'] ?? []].flat());
    return { status: reply.statusCode, url, headers: reply.headers, body: await reply.body.text() };
  }

  /** Navigates as a browser would: asks for a page and follows redirects. */
  async visit(url: string): Promise<Reply> {
    let next = url;
    for (let hop = 0; hop < MAX_REDIRECTS; hop += 1) {
      const reply = await this.ask(next, { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } });
      const { location } = reply.headers;
      if (reply.status < 300 || reply.status > 399 || typeof location !== 'string') return reply;
      next = new URL(location, next).href;
    }
    throw new Error(`${url} redirected more than ${MAX_REDIRECTS} times`);
  }

  /** Visits `url` and signs in on the way. `way` is `password` or `key`. */
  async signIn(url: string, person: string, way: 'password' | 'key'): Promise<Reply> {
    const page = await this.visit(url);
    if (!new URL(page.url).pathname.startsWith('/interaction/')) return page;
    return this.visit(`${page.url}?person=${person}&way=${way}`);
  }

  cookieHeader(host: string): string {
    return [...(this.cookies.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** The cookies of one host in the format curl reads with `-b`. */
  cookieJar(host: string): string {
    const lines = [...(this.cookies.get(host) ?? [])].map(([name, value]) =>
      [`#HttpOnly_${host}`, 'FALSE', '/', 'TRUE', '0', name, value].join('\t'),
    );
    return `# Netscape HTTP Cookie File\n${lines.join('\n')}\n`;
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #keepCookies(host: string, lines: readonly string[]): void {
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      const gone = attributes.some(
        (text) => /^max-age=0$/i.test(text) || /^expires=thu, 01 jan 1970/i.test(text),
      );
      if (gone) jar.delete(name);
      else jar.set(name, value);
    }
  }
}
