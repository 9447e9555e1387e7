// One gateway of a fleet under test, as a person and as its admin see it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { callAdmin } from '#bin/admin-client';
import { type Part, until } from '#test/story/part';
import { eventsIn, type Recorded } from '#test/story/record';

/** What a gateway needs of its fleet. */
export interface Surroundings {
  readonly directory: string;
  /** The port of the people's listener, the same for all. */
  readonly people: number;
  /** The port of the connectors' listener, the same for all. */
  readonly connectors: number;
  /** PEM that every certificate of the fleet chains to. */
  readonly ca: string;
  run(name: string, directory: string, args: readonly string[]): Part;
}

/** A person's way in at one gateway. */
export interface Entry {
  readonly id: string;
  readonly cookie: string;
}

export interface Answer {
  readonly status: number;
  readonly milliseconds: number;
}

export class FleetGateway {
  readonly index: number;
  readonly directory: string;
  readonly address: string;
  readonly health: number;
  part!: Part;
  connector: Part | undefined;
  readonly #fleet: Surroundings;
  readonly dispatcher: Agent;
  readonly lookup: ReturnType<typeof lookupFor>;

  constructor(fleet: Surroundings, index: number, health: number) {
    this.#fleet = fleet;
    this.index = index;
    this.directory = join(fleet.directory, `gateway-${index}`);
    this.address = `127.0.0.${index + 1}`;
    this.health = health;
    this.lookup = lookupFor(this.address);
    this.dispatcher = new Agent({ connect: { ca: fleet.ca, lookup: this.lookup }, connections: 64 });
  }

  /** The port that connectors and other gateways dial. */
  get connectors(): number {
    return this.#fleet.connectors;
  }

  get outbox(): string {
    return join(this.directory, 'state/outbox');
  }

  /** Of the gateway, or of all its workers. */
  events(): Recorded[] {
    return [this.outbox, ...globSync(join(this.directory, 'state/worker-*/outbox'))].flatMap(eventsIn);
  }

  async start(): Promise<void> {
    this.part = this.#fleet.run(`gateway-${this.index}`, this.directory, [
      ...['gateway', '--config', 'gateway.yaml', '--json'],
    ]);
    await this.part.said(/"ready":true/);
  }

  /** One request to this gateway; status 0 if there was no answer. */
  async ask(host: string, path: string, cookie = '', timeout = 10_000): Promise<Answer> {
    const from = performance.now();
    try {
      const reply = await request(`https://${host}:${this.#fleet.people}${path}`, {
        dispatcher: this.dispatcher,
        headers: { accept: 'application/json', ...(cookie === '' ? {} : { cookie }) },
        signal: AbortSignal.timeout(timeout),
      });
      await reply.body.dump();
      return { status: reply.statusCode, milliseconds: performance.now() - from };
    } catch {
      return { status: 0, milliseconds: performance.now() - from };
    }
  }

  /** The app through this gateway. */
  app(cookie: string, path = '/'): Promise<Answer> {
    return this.ask('wiki.localhost', path, cookie);
  }

  /** A page of ours that writes to the state: the beginning of a sign-in. 302 if it works. */
  signIn(): Promise<Answer> {
    return this.ask('access.localhost', '/sign-in?provider=corp');
  }

  /** An endless answer of the app; resolves once it is open. `ended` tells when it was closed (performance.now). */
  async stream(cookie: string): Promise<{ readonly ended: Promise<number>; close(): void }> {
    const abort = new AbortController();
    const agent = new Agent({
      connect: { ca: this.#fleet.ca, lookup: lookupFor(this.address) },
      bodyTimeout: 0,
    });
    const reply = await request(`https://wiki.localhost:${this.#fleet.people}/events`, {
      dispatcher: agent,
      headers: { cookie },
      signal: abort.signal,
    });
    assert.equal(reply.statusCode, 200);
    const { promise, resolve } = Promise.withResolvers<number>();
    reply.body.on('data', () => undefined);
    for (const event of ['end', 'error', 'close']) {
      reply.body.on(event, () => {
        resolve(performance.now());
        void agent.destroy();
      });
    }
    return { ended: promise, close: () => abort.abort() };
  }

  /** A command beside this gateway; its exit code and what it said. */
  async command(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly output: string }> {
    const [name = '', ...rest] = args;
    const part = this.#fleet.run(`${name}-${randomBytes(4).toString('hex')}`, this.directory, [
      ...[name, ...rest, '--config', 'gateway.yaml'],
    ]);
    const { code } = await part.ended;
    return { code, output: part.output };
  }

  /** Revokes over the admin socket, without a command's start; the answer's status. */
  async revoke(kind: string, id: string): Promise<number> {
    const wish = { kind, id, by: 'fault' };
    return (await callAdmin(join(this.directory, 'state'), 'POST', '/v1/revocations', wish)).status;
  }

  /** An enrolment token, without a command's start. */
  async token(name: string): Promise<string> {
    const wish = { name, life: 600_000, by: 'fault' };
    const { body } = await callAdmin(join(this.directory, 'state'), 'POST', '/v1/enrolment-tokens', wish);
    return String(body['token']);
  }

  /** A figure, or the sum of all workers'. */
  async metric(name: string): Promise<number | undefined> {
    const reply = await fetch(`http://127.0.0.1:${this.health}/metrics`).catch(() => undefined);
    const text = (await reply?.text()) ?? '';
    const found = [...text.matchAll(new RegExp(`^${name}(?:\\{worker="\\d+"\\})? (.*)$`, 'gm'))];
    return found.length === 0 ? undefined : found.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async ready(): Promise<{ readonly ready: boolean; readonly ailments: readonly string[] }> {
    const reply = await fetch(`http://127.0.0.1:${this.health}/readyz`);
    return (await reply.json()) as { ready: boolean; ailments: string[] };
  }

  /** Starts this gateway's own connector, enrolling it with a fresh token, and waits until it is there. */
  async connect(): Promise<void> {
    const { code, output } = await this.command(
      'token',
      'create',
      '--connector',
      'rack-1',
      '--out',
      'enrol.token',
    );
    assert.equal(code, 0, output);
    this.startConnector('--token-file', 'enrol.token');
    await until('a tunnel', async () => ((await this.metric('sallyport_connectors')) ?? 0) > 0);
  }

  startConnector(...more: readonly string[]): void {
    this.connector = this.#fleet.run(`connector-${this.index}`, this.directory, [
      ...['connector', '--config', 'connector.yaml', ...more],
    ]);
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }
}

/** Every name is this address. */
function lookupFor(address: string) {
  return (
    _host: string,
    options: { readonly all?: boolean | undefined },
    callback: (error: null, address: string | { address: string; family: number }[], family?: number) => void,
  ): void => {
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
}
