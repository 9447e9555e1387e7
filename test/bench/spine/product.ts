// A whole Sallyport on loopback, started by the commands an admin types, with an identity provider and people who sign
// in: processes of their own, so that what each of them uses can be told.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callAdmin } from '#bin/admin-client';
import { startProvider } from '#bin/demo/provider';
import { Visitor } from '#bin/demo/visitor';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { redisServer } from '#test/contract/redis';
import { Part, until } from '#test/story/part';
import { freePorts, freeRow } from '#test/story/ports';
import {
  CONNECTOR,
  connectorDocument,
  gatewayDocument,
  HOST,
  person,
  policyDocument,
  type Sharing,
  type SpinePorts,
} from './documents.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/sallyport.js');

export interface ProductOptions {
  /** The app's port. */
  readonly app: number;
  /** Ids of the people whom the provider knows. */
  readonly people?: readonly string[];
  /** Names of connectors, besides our own, that may serve the app. */
  readonly connectors?: readonly string[];
  /** Arguments of node for the gateway. */
  readonly gatewayFlags?: readonly string[];
  readonly connectorFlags?: readonly string[];
  /** The port at which our connector dials the gateway, for a line that is not loopback; given the gateway's own. */
  readonly line?: (connectors: number) => Promise<number>;
  /** So many workers on a Redis of their own; without it one process on the embedded state. */
  readonly workers?: number;
}

export interface Product {
  readonly directory: string;
  readonly ports: SpinePorts;
  /** Whose certificates everybody here shows. */
  readonly authority: Authority;
  /** Of the app, as people know it. */
  readonly origin: string;
  readonly gateway: Part;
  readonly connector: Part;
  /** A figure of the gateway's metrics, of all its workers together. */
  metric(name: string): Promise<number>;
  /** Somebody signed in at the app. */
  signIn(id: string): Promise<Visitor>;
  /** An enrolment token for a connector. */
  token(connector: string): Promise<string>;
}

/** What is to be undone when it is over, in reverse order. */
export type Undo = (() => unknown)[];

/** Runs `use` with a directory of its own; undoes all it began, whether it ends well or not. */
export async function within<T>(use: (directory: string, undo: Undo) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const undo: Undo = [() => rmSync(directory, { recursive: true, force: true })];
  try {
    return await use(directory, undo);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function share(workers: number, undo: Undo): Promise<Sharing> {
  const { port: redis } = await redisServer({ after: (step) => undo.push(step) });
  return { workers, relay: await freeRow(workers), redis };
}

/** Starts everything but the app, and returns when the tunnel is there. */
export async function startProduct(directory: string, undo: Undo, options: ProductOptions): Promise<Product> {
  const { app, people: ids = ['ada'], connectors: others = [] } = options;
  const [people = 0, connectors = 0, health = 0, provider = 0] = await freePorts(4);
  const ports = { people, connectors, health, provider, app };
  const path = (name: string): string => join(directory, name);
  const part = (name: string, args: readonly string[]): Part => {
    const one = new Part(name, process.execPath, args, { cwd: directory, log: path(`${name}.log`) });
    undo.push(() => one.stop());
    return one;
  };

  const secret = randomBytes(32).toString('base64url');
  const line = (await options.line?.(connectors)) ?? connectors;
  const sharing = options.workers === undefined ? undefined : await share(options.workers, undo);
  mkdirSync(path('state'), { mode: 0o700 });
  // So that everybody's certificate is from the same one.
  const authority = await openAuthority(path('state/development-ca'), 'Bench', Date.now);
  const own = await issueCertificate(authority, [HOST, 'access.localhost']);
  for (const [name, text] of [
    ['gateway.yaml', gatewayDocument(ports, [CONNECTOR, ...others], sharing)],
    ['people.pem', own.cert],
    ['people.key', own.key],
    ['state-secret', randomBytes(32).toString('base64url')],
    ['connector.yaml', connectorDocument(ports, line)],
    ['policy.yaml', policyDocument()],
    ['client-secret', secret],
  ] as const) {
    writeFileSync(path(name), text, { mode: 0o600 });
  }
  const identity = await startProvider({
    issuer: `https://id.localhost:${provider}`,
    port: provider,
    certificate: await issueCertificate(authority, ['id.localhost']),
    client: { id: 'sallyport', secret, redirectUris: [`https://access.localhost:${people}/callback/corp`] },
    people: ids.map(person),
  });
  undo.push(
    () => identity.closeAllConnections(),
    () => identity.close(),
  );

  const sallyport = (name: string, flags: readonly string[], ...words: readonly string[]): Part =>
    part(name, [...flags, LAUNCHER, ...words]);
  const gateway = sallyport(
    'gateway',
    options.gatewayFlags ?? [],
    ...['gateway', '--config', 'gateway.yaml', '--json'],
  );
  await gateway.said(/"ready":true/);
  const token = async (name: string): Promise<string> => {
    const asked = { name, life: 600_000, by: 'bench' };
    const { status, body } = await callAdmin(path('state'), 'POST', '/v1/enrolment-tokens', asked);
    if (status !== 201) throw new Error(String(body['message']));
    return String(body['token']);
  };
  writeFileSync(path('enrol.token'), await token(CONNECTOR), { mode: 0o600 });
  const connector = sallyport(
    'connector',
    options.connectorFlags ?? [],
    ...['connector', '--config', 'connector.yaml', '--token-file', 'enrol.token'],
  );
  const metric = async (name: string): Promise<number> => {
    const reply = await fetch(`http://127.0.0.1:${health}/metrics`);
    const samples = (await reply.text()).matchAll(new RegExp(`^${name}(?:[{].*[}])? (.*)$`, 'gm'));
    return samples.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  await until('the tunnel', async () => (await metric('sallyport_connectors')) > 0);

  const origin = `https://${HOST}:${people}`;
  const signIn = async (id: string): Promise<Visitor> => {
    const visitor = new Visitor(authority.certificate);
    undo.push(() => visitor.close());
    const page = await visitor.signIn(`${origin}/`, id, 'password');
    if (page.status !== 200) throw new Error(`signing in ended with ${page.status}:\n${page.body}`);
    return visitor;
  };
  return { directory, ports, authority, origin, gateway, connector, metric, signIn, token };
}
