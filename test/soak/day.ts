// What people do all day, at a steady rate, so that whatever a process keeps of it shows: requests of all kinds, downloads
// broken off, event streams and WebSockets that come and go, sign-ins, revocations.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import WebSocket from 'ws';
import { callAdmin } from '#bin/admin-client';
import { Visitor } from '#bin/demo/visitor';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { HOST } from '../bench/spine/documents.ts';
import type { Product } from '../bench/spine/product.ts';

/** Of each kind, open at any time. */
const STREAMS = 20;
/** People who sign in, one after another, and are revoked some sign-ins later. */
export const PEOPLE: readonly string[] = Array.from({ length: 20 }, (_, index) => `p${index}`);
/** Milliseconds from one to the next. */
const EVERY = {
  request: 40,
  broken: 1_000,
  stream: 1_000,
  connection: 10_000,
  person: 4_000,
  policy: 30_000,
};
const KB = 1024;

interface Asked {
  readonly path: string;
  readonly method?: Dispatcher.HttpMethod;
  readonly body?: Buffer;
  readonly cookie?: string;
  readonly answer: number;
}

export class Day {
  readonly #product: Product;
  readonly #cookie: string;
  readonly #ca: string;
  readonly #over = new AbortController();
  readonly #streams: (() => void)[] = [];
  readonly #unexpected: string[] = [];
  #agent: Agent;
  #answered = 0;
  #turn = 0;

  /** `cookie`: of somebody who is signed in throughout. */
  constructor(product: Product, cookie: string) {
    this.#product = product;
    this.#cookie = cookie;
    this.#ca = product.authority.certificate;
    this.#agent = this.#newAgent();
  }

  /** Answers so far. */
  get answered(): number {
    return this.#answered;
  }

  /** What went otherwise than it must, in words. */
  get unexpected(): readonly string[] {
    return this.#unexpected;
  }

  /** Goes on until `end`. */
  async live(): Promise<void> {
    await Promise.all([
      this.#each(EVERY.request, () => this.#ask(this.#next())),
      this.#each(EVERY.broken, () => this.#breakOff()),
      this.#each(EVERY.stream, () => this.#stream()),
      this.#each(EVERY.stream, () => this.#socket()),
      this.#each(EVERY.connection, () => this.#connectAnew()),
      this.#each(EVERY.person, (index) => this.#comeAndGo(index)),
    ]);
    for (const close of this.#streams.splice(0)) close();
    await this.#agent.destroy();
  }

  end(): void {
    this.#over.abort();
  }

  /** The same rules under another heading: everybody is decided about anew. */
  async writePolicy(index: number): Promise<void> {
    const { directory } = this.#product;
    const file = join(directory, 'policy.yaml');
    const before = readFileSync(file, 'utf8').replace(/^# .*\n/, '');
    writeFileSync(file, `# ${index}\n${before}`, { mode: 0o600 });
    const { status } = await callAdmin(join(directory, 'state'), 'POST', '/v1/policy/reload');
    if (status !== 200) this.#tell(`a new policy: ${status}`);
  }

  /** At once or when the one before is done, whichever is later; what fails is told and ends nothing. */
  async #each(pause: number, act: (index: number) => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    for (let index = 0; !signal.aborted; index += 1) {
      const next = sleep(pause, undefined, { signal }).catch(() => undefined);
      await act(index).catch((error: unknown) => this.#tell(String(error)));
      await next;
    }
  }

  #tell(what: string): void {
    if (this.#unexpected.length < 100) this.#unexpected.push(`${new Date().toISOString()} ${what}`);
  }

  #newAgent(): Agent {
    return new Agent({ connect: { ca: this.#ca, lookup: localhostAwareLookup }, connections: 8 });
  }

  /** In turn: what is allowed, small and large, down and up; what is denied; what is nonsense; and who is nobody. */
  #next(): Asked {
    this.#turn += 1;
    const size = (this.#turn * 7919) % (200 * KB);
    const kinds: readonly Asked[] = [
      { path: '/', answer: 200 },
      { path: `/page-${this.#turn % 5_000}?at=${this.#turn}`, answer: 200 },
      { path: `/bulk?${size}`, answer: 200 },
      { path: '/form', method: 'POST', body: Buffer.alloc(size), answer: 200 },
      { path: '/', method: 'HEAD', answer: 200 },
      { path: `/page-${this.#turn}`, method: 'DELETE', answer: 403 },
      { path: '/two//slashes', answer: 400 },
      { path: '/', cookie: `__Host-sallyport=${'a'.repeat(42)}${this.#turn % 10}`, answer: 401 },
    ];
    return kinds[this.#turn % kinds.length] as Asked;
  }

  async #ask({ path, method = 'GET', body, cookie = this.#cookie, answer }: Asked): Promise<void> {
    const reply = await request(`${this.#product.origin}${path}`, {
      ...{ dispatcher: this.#agent, method, headers: { cookie } },
      body: body ?? null,
    });
    await reply.body.dump({ limit: Number.MAX_SAFE_INTEGER });
    if (reply.statusCode === answer) this.#answered += 1;
    else this.#tell(`${method} ${path}: ${reply.statusCode} in the place of ${answer}`);
  }

  async #breakOff(): Promise<void> {
    const { origin } = this.#product;
    const reply = await request(`${origin}/bulk?${50 * KB * KB}`, {
      ...{ dispatcher: this.#agent, headers: { cookie: this.#cookie } },
    });
    reply.body.on('error', () => undefined);
    await once(reply.body, 'data');
    reply.body.destroy();
  }

  async #stream(): Promise<void> {
    const agent = this.#newAgent();
    const headers = { cookie: this.#cookie };
    const reply = await request(`${this.#product.origin}/events`, { dispatcher: agent, headers });
    reply.body.on('error', () => undefined);
    await once(reply.body, 'data');
    reply.body.resume();
    this.#keep(() => void agent.destroy());
  }

  async #socket(): Promise<void> {
    const { origin } = this.#product;
    const socket = new WebSocket(`${origin.replace('https', 'wss')}/socket`, {
      ...{ ca: this.#ca, lookup: localhostAwareLookup, headers: { Cookie: this.#cookie, Origin: origin } },
    });
    await once(socket, 'open');
    socket.on('error', () => undefined);
    socket.send('hello');
    // In turn as programs should, and as machines do that are switched off.
    const close = this.#streams.length % 2 === 0 ? () => socket.close() : () => socket.terminate();
    this.#keep(close);
  }

  /** The oldest goes when a new one comes. */
  #keep(close: () => void): void {
    this.#streams.push(close);
    if (this.#streams.length > 2 * STREAMS) this.#streams.shift()?.();
  }

  async #connectAnew(): Promise<void> {
    const before = this.#agent;
    this.#agent = this.#newAgent();
    await before.close();
  }

  async #comeAndGo(index: number): Promise<void> {
    const { origin, directory } = this.#product;
    const person = (back: number): string => PEOPLE[(index + back) % PEOPLE.length] ?? '';
    const visitor = new Visitor(this.#ca);
    const page = await visitor.signIn(`${origin}/`, person(0), 'password');
    if (page.status !== 200) this.#tell(`signing in: ${page.status}`);
    await this.#ask({ path: '/', cookie: visitor.cookieHeader(HOST), answer: 200 });
    await visitor.close();
    if (index < PEOPLE.length / 2) return;
    const wish = { kind: 'person', id: `${person(PEOPLE.length / 2)}@example.com`, by: 'soak' };
    const { status } = await callAdmin(join(directory, 'state'), 'POST', '/v1/revocations', wish);
    if (status !== 200) this.#tell(`revoking: ${status}`);
  }
}
