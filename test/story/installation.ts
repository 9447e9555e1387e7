// A whole installation for stories: provider and receiver in this process; nginx, gateway and connector as processes
// of their own, started by the commands an admin types. Everything is stopped and removed when the test is over, and
// what was recorded is checked then, in every story.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { startProvider } from '#bin/demo/provider';
import { Visitor } from '#bin/demo/visitor';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import {
  CONNECTOR,
  connectorDocument,
  gatewayDocument,
  PEOPLE,
  POLICY,
  type StoryPorts,
} from './documents.ts';
import { type Nginx, startNginx } from './nginx.ts';
import { Part, until } from './part.ts';
import { freePorts } from './ports.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { eventsIn, faultsOf, type Recorded } from './record.ts';

/** What stories on an installation need; for `requires`. */
export const NEEDS = ['nginx'] as const;
export const ROOT: string = join(import.meta.dirname, '../..');
export const LAUNCHER: string = join(ROOT, 'bin/sallyport.js');

const BY_THE_CLOCK: ReadonlySet<string> = new Set(['heartbeat', 'ledger-checkpoint']);

/** How a command ended. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Whoever cleans up when it is over: a test's context, or a script of its own. */
export interface Scope {
  after(step: () => Promise<void>): void;
}

export interface InstallationOptions {
  /** Appended to the gateway's document. */
  readonly further?: string;
  /** More identity providers of the gateway's document. */
  readonly providers?: string;
  /** Called with the directory before anything starts. */
  readonly prepare?: (directory: string) => void;
}

export class StoryInstallation {
  readonly directory: string;
  readonly ports: StoryPorts;
  readonly portal: string;
  readonly outbox: string;
  /** Secret values that must be nowhere but where they belong. */
  readonly secrets: Map<string, string> = new Map();
  ca = '';
  gateway!: Part;
  connector!: Part;
  nginx!: Nginx;
  receiver!: Receiver;
  readonly #undo: (() => Promise<unknown>)[] = [];

  private constructor(directory: string, ports: StoryPorts) {
    this.directory = directory;
    this.ports = ports;
    this.portal = `https://access.localhost:${ports.people}`;
    this.outbox = join(directory, 'state/outbox');
  }

  static async start(scope: Scope, options: InstallationOptions = {}): Promise<StoryInstallation> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-story-'));
    const [people = 0, connectors = 0, health = 0, provider = 0, nginx = 0, receiver = 0] =
      await freePorts(6);
    const ports = { people, connectors, health, provider, nginx, receiver };
    const installation = new StoryInstallation(directory, ports);
    scope.after(() => installation.close());
    await installation.#start(options);
    return installation;
  }

  async #start({ further, providers, prepare }: InstallationOptions): Promise<void> {
    const { directory, ports, portal } = this;
    const secret = randomBytes(32).toString('base64url');
    this.secrets.set('client secret', secret);
    mkdirSync(join(directory, 'state'), { mode: 0o700 });
    this.write('gateway.yaml', gatewayDocument(ports, further, providers));
    this.write('connector.yaml', connectorDocument(ports));
    this.write('policy.yaml', POLICY);
    this.write('client-secret', `${secret}\n`);
    prepare?.(directory);
    // The gateway finds its development CA already made, so that the provider's certificate is from the same one.
    const authority = await openAuthority(this.path('state/development-ca'), 'Story', Date.now);
    this.ca = authority.certificate;
    const provider = await startProvider({
      issuer: `https://id.localhost:${ports.provider}`,
      port: ports.provider,
      certificate: await issueCertificate(authority, ['id.localhost']),
      client: { id: 'sallyport', secret, redirectUris: [`${portal}/callback/corp`] },
      people: PEOPLE,
    });
    this.#undo.push(() => closeServer(provider));
    mkdirSync(this.path('nginx'));
    const gateway = this.startGateway();
    this.nginx = await startNginx(this.path('nginx'), ports.nginx);
    this.#undo.push(() => this.nginx.part.stop());
    this.receiver = await startReceiver({ port: ports.receiver, portal, ca: this.ca, audience: 'drop' });
    this.#undo.push(() => this.receiver.close());
    await gateway;
    await this.enrolConnector();
    await this.connected();
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text, { mode: 0o600 });
  }

  originOf(app: string): string {
    return `https://${app}.localhost:${this.ports.people}`;
  }

  /** Does `step` when the story is over, before what was started earlier is stopped. */
  atEnd(step: () => Promise<unknown>): void {
    this.#undo.push(step);
  }

  /** For requests of one's own, trusting `ca` (PEM) alone. */
  dispatcher(ca: string): Agent {
    const agent = new Agent({ connect: { ca, lookup: localhostAwareLookup } });
    this.#undo.push(() => agent.destroy());
    return agent;
  }

  /** A browserless person with no cookies yet. */
  visitor(): Visitor {
    const visitor = new Visitor(this.ca);
    this.#undo.push(() => visitor.close());
    return visitor;
  }

  /** Undone before the installation is, also when a test fails half-way. */
  undo(step: () => Promise<unknown>): void {
    this.#undo.push(step);
  }

  /** A `sallyport` command as a process, under way. */
  run(name: string, args: readonly string[]): Part {
    const part = new Part(name, process.execPath, [LAUNCHER, ...args], {
      cwd: this.directory,
      log: this.path(`${name}.log`),
    });
    this.#undo.push(() => part.stop());
    return part;
  }

  /** A `sallyport` command to its end. */
  async sallyport(...args: readonly string[]): Promise<Outcome> {
    const part = this.run(args[0] ?? 'sallyport', args);
    const { code } = await part.ended;
    return { code, output: part.output };
  }

  async startGateway(): Promise<void> {
    this.gateway = this.run('gateway', ['gateway', '--config', 'gateway.yaml', '--json']);
    await this.gateway.said(/"ready":true/);
  }

  /** A token for the story's connector; its text. */
  async token(file: string, ...more: readonly string[]): Promise<string> {
    const args = ['--config', 'gateway.yaml', '--connector', CONNECTOR, '--out', file, ...more];
    const { code, output } = await this.sallyport('token', 'create', ...args);
    assert.equal(code, 0, output);
    const token = readFileSync(this.path(file), 'utf8').trim();
    this.secrets.set(`enrolment token ${file}`, secretOf(token));
    return token;
  }

  async enrolConnector(): Promise<void> {
    await this.token('enrol.token');
    this.startConnector('--token-file', 'enrol.token');
  }

  startConnector(...more: readonly string[]): void {
    this.connector = this.run('connector', ['connector', '--config', 'connector.yaml', ...more]);
  }

  /** Waits until the gateway has tunnels of `count` connectors. */
  async connected(count = 1): Promise<void> {
    await until(`${count} connectors`, async () => (await this.metric('sallyport_connectors')) === count);
  }

  /** One figure of the gateway's metrics; undefined while it does not answer. */
  async metric(name: string): Promise<number | undefined> {
    const reply = await fetch(`http://127.0.0.1:${this.ports.health}/metrics`).catch(() => undefined);
    const match = new RegExp(`^${name} (.*)$`, 'm').exec((await reply?.text()) ?? '');
    return match === null ? undefined : Number(match[1]);
  }

  /** What is recorded so far, less what a gateway tells by the clock. */
  events(): Recorded[] {
    return eventsIn(this.outbox).filter(({ event }) => !BY_THE_CLOCK.has(event.action));
  }

  async close(): Promise<void> {
    const faults: string[] = [];
    for (const step of this.#undo.splice(0).reverse())
      await step().catch((error) => faults.push(String(error)));
    const started = this.gateway?.output.includes('"ready":true') === true;
    if (started) faults.push(...faultsOf(this.outbox));
    rmSync(this.directory, { recursive: true, force: true });
    assert.deepEqual(faults, [], 'everything stops, and what was recorded is complete and valid');
  }
}

/** The part of an enrolment token that nobody else may know. */
function secretOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return String(claims.secret);
}

async function closeServer(server: Server & { closeAllConnections?(): void }): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections?.();
  await closed;
}
