// Several gateways of one installation as real processes, with a provider, an app and a connector for each: what faults
// of the state are tried on. Each gateway has a loopback address of its own, so that all serve the same hosts and port.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { type ProviderOptions, startProvider } from '#bin/demo/provider';
import { Visitor } from '#bin/demo/visitor';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import type { Scope } from '#test/contract/redis';
import { Part } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { connectorDocument, gatewayDocument, POLICY } from './documents.ts';
import { type Entry, FleetGateway } from './fleet-gateway.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/sallyport.js');

export interface FleetOptions {
  /** How many gateways; 1 if left out. */
  readonly gateways?: number;
  /** The `state` key of gateway `index` as YAML, given its directory's name; the embedded store if left out. */
  readonly state?: (index: number) => string;
  /** More of the gateways' documents, at the top level. */
  readonly further?: string;
  readonly sessions?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly provider?: Partial<ProviderOptions>;
  /** Called with a gateway's directory before it starts. */
  readonly prepare?: (directory: string, index: number) => void | Promise<void>;
  /** More names of connectors that may serve the app. */
  readonly moreConnectors?: readonly string[];
  /** Gateways, by index, that get a connector of their own; all if left out. */
  readonly connectors?: readonly number[];
}

export class Fleet {
  readonly directory: string;
  readonly people: number;
  readonly connectors: number;
  readonly gateways: FleetGateway[] = [];
  ca = '';
  provider!: Server;
  readonly #options: FleetOptions;
  readonly #app: Server;
  readonly #ports: readonly number[];
  readonly #undo: (() => Promise<unknown>)[] = [];
  /** Lines of requests that reached the app. */
  readonly reached: string[] = [];
  readonly #secret = randomBytes(32).toString('base64url');

  private constructor(options: FleetOptions, directory: string, ports: readonly number[]) {
    this.#options = options;
    this.directory = directory;
    this.#ports = ports;
    this.people = ports[0] ?? 0;
    this.connectors = ports[1] ?? 0;
    this.#app = createServer((asked, response) => {
      this.reached.push(`${asked.method} ${asked.url}`);
      if (asked.url === '/events') drip(response);
      else if (asked.url === '/mirror') void mirror(asked, response);
      else response.end('ok');
    });
    const sockets = new WebSocketServer({ server: this.#app });
    sockets.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
  }

  static async start(scope: Scope, options: FleetOptions = {}): Promise<Fleet> {
    const count = options.gateways ?? 1;
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-fleet-'));
    const fleet = new Fleet(options, directory, await freePorts(4 + count));
    scope.after(() => fleet.close());
    await fleet.#start(count);
    return fleet;
  }

  get issuer(): string {
    return `https://id.localhost:${this.#ports[2]}`;
  }

  async #start(count: number): Promise<void> {
    const { prepare, connectors } = this.#options;
    const [, , , app = 0, ...health] = this.#ports;
    this.#app.listen(app, '127.0.0.1');
    this.#undo.push(() => closed(this.#app));
    // The first gateway finds its development CA made, so that the provider's certificate is from the same one.
    const first = join(this.directory, 'gateway-0/state');
    mkdirSync(first, { recursive: true, mode: 0o700 });
    const authority = await openAuthority(join(first, 'development-ca'), 'Fleet', Date.now);
    this.ca = authority.certificate;
    await this.startProvider();
    this.#undo.push(() => closed(this.provider).catch(() => undefined));
    for (let index = 0; index < count; index += 1) {
      const gateway = new FleetGateway(this, index, health[index] ?? 0);
      this.gateways.push(gateway);
      this.#undo.push(() => gateway.close());
      this.#write(gateway);
      await prepare?.(gateway.directory, index);
      await gateway.start();
    }
    for (const index of connectors ?? this.gateways.keys()) await this.gateways[index]?.connect();
  }

  async startProvider(more: Partial<ProviderOptions> = {}): Promise<void> {
    const authority = await openAuthority(
      join(this.directory, 'gateway-0/state/development-ca'),
      'Fleet',
      Date.now,
    );
    this.provider = await startProvider({
      issuer: this.issuer,
      port: this.#ports[2] ?? 0,
      certificate: await issueCertificate(authority, ['id.localhost']),
      client: {
        id: 'sallyport',
        secret: this.#secret,
        redirectUris: [`https://access.localhost:${this.people}/callback/corp`],
      },
      people: ['ada', 'ben', 'cleo'].map((id) => ({
        ...{ id, name: id, email: `${id}@example.com`, groups: ['staff'], about: id },
      })),
      backchannel: { uri: `https://access.localhost:${this.people}/backchannel-logout/corp`, ca: this.ca },
      ...this.#options.provider,
      ...more,
    });
  }

  async stopProvider(): Promise<void> {
    await closed(this.provider);
  }

  #write({ directory, address, health, index }: FleetGateway): void {
    const [people = 0, connectors = 0, , app = 0] = this.#ports;
    const { state, further = '', sessions = '' } = this.#options;
    mkdirSync(join(directory, 'state'), { recursive: true, mode: 0o700 });
    const write = (name: string, text: string): void =>
      writeFileSync(join(directory, name), text, { mode: 0o600 });
    write('client-secret', `${this.#secret}\n`);
    write('state-secret', 'a secret of more than thirty-two characters\n');
    write('provider-ca.pem', this.ca);
    const names = ['rack-1', ...(this.#options.moreConnectors ?? [])].join(', ');
    const values = { names, index, address, health, people, connectors, app, issuer: this.issuer };
    write(
      'gateway.yaml',
      gatewayDocument({ ...values, state: state?.(index) ?? './state', further, sessions }),
    );
    write('policy.yaml', POLICY);
    write('connector.yaml', connectorDocument({ address, connectors, app }));
  }

  run(name: string, directory: string, args: readonly string[]): Part {
    const { env } = this.#options;
    const part = new Part(name, process.execPath, [LAUNCHER, ...args], {
      ...{ cwd: directory, log: join(this.directory, `${name}.log`) },
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    });
    this.#undo.push(() => {
      part.signal('SIGCONT');
      return part.stop();
    });
    return part;
  }

  /** What was written to stderr by everything whose name begins so. */
  log(name: string): string {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8');
  }

  /** A visitor that comes to the first gateway. */
  visitor(): Visitor {
    const visitor = new Visitor(this.ca);
    this.#undo.push(() => visitor.close());
    return visitor;
  }

  /** Signs a person in at the first gateway: good for all that share its state. */
  async signIn(person = 'ada'): Promise<Entry> {
    const visitor = this.visitor();
    const origin = `https://wiki.localhost:${this.people}/`;
    const before = new Set(this.#logins());
    const reply = await visitor.signIn(origin, person, 'password');
    assert.equal(reply.status, 200, reply.body.slice(0, 400));
    const id = this.#logins().find((one) => !before.has(one)) ?? '';
    return { id, cookie: visitor.cookieHeader('wiki.localhost') };
  }

  #logins(): string[] {
    return (this.gateways[0]?.events() ?? []).flatMap((one) => {
      const session = (one.sallyport as { session?: { id?: string } } | undefined)?.session?.id;
      return one.event.action === 'login-succeeded' && session !== undefined ? [session] : [];
    });
  }

  async close(): Promise<void> {
    const faults: string[] = [];
    for (const step of this.#undo.splice(0).reverse()) {
      await step().catch((error) => faults.push(String(error)));
    }
    rmSync(this.directory, { recursive: true, force: true });
    assert.deepEqual(faults, [], 'everything stops');
  }
}

/** Takes the whole body before it gives it back. */
async function mirror(asked: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of asked as AsyncIterable<Buffer>) chunks.push(chunk);
  response.end(Buffer.concat(chunks));
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const timer = setInterval(() => response.write('data: drop\n\n'), 100);
  response.once('close', () => clearInterval(timer));
}

async function closed(server: Server): Promise<void> {
  const done = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await done;
}
