// A whole installation in one process: provider, gateway, connector and an app that witnesses every byte. Requests are
// put in behind TLS, so that a hundred thousand can be tried where handshakes would allow a thousand.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callAdmin } from '#bin/admin-client';
import { startProvider } from '#bin/demo/provider';
import { Visitor } from '#bin/demo/visitor';
import { connectorSchema, resolvePaths as resolveConnector } from '#connectors/config';
import { type Connector, enrolConnector, startConnector } from '#connectors/connector';
import { gatewaySchema, resolvePaths } from '#gateway/config';
import { type Gateway, startGateway } from '#gateway/gateway';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { readDocument } from '#policy/document';
import type { Log } from '#siem/log';
import { freePorts } from '../../story/ports.ts';
import type { Recorded } from '../../story/record.ts';
import { startWitness, type WitnessApp } from './app.ts';
import { Line } from './line.ts';

export const HOST = 'wiki.localhost';
const SECRET = 'for-tests-only-for-tests-only-for-tests-only';
const silent = (): void => {};

export interface FuzzInstallation {
  readonly directory: string;
  readonly app: WitnessApp;
  readonly portal: string;
  /** The port of the people's listener. */
  readonly people: number;
  readonly visitor: Visitor;
  /** The cookie of somebody who may read below /open. */
  readonly cookie: string;
  /** A connection to the people's listener. */
  line(servername?: string | false): Line;
  /** The listener itself, for what it is doing. */
  readonly server: Server;
  /** What was recorded since this was last asked. */
  events(): Recorded[];
  /** What gateway and connector wrote to their logs as errors. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export const POLICY: string = `version: 1
zone: UTC
apps: [wiki]
rules:
  - { id: open, allow: wiki, who: everyone, methods: [GET, HEAD, POST], paths: ["/open/**"] }
  - { id: shut, deny: wiki, paths: ["/open/shut/**"] }
`;

/** `before`: starts what stands before the app, given the app's port; answers its own. */
export async function startFuzzInstallation(
  before: (app: number) => Promise<number> = async (app) => app,
): Promise<FuzzInstallation> {
  const directory = mkdtempSync(join(scratch(), 'sallyport-fuzz-'));
  const complaints: string[] = [];
  const complain = (fields: object, message: string): void => {
    const { err } = fields as { err?: Error };
    complaints.push(`${message}${err === undefined ? '' : `: ${err.stack}`}`);
  };
  const log: Log = {
    trace: silent,
    debug: silent,
    info: silent,
    warn: silent,
    error: complain,
    fatal: complain,
  };
  const at = (name: string): string => join(directory, name);
  const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const [people = 0, connectors = 0, health = 0, provider = 0] = await freePorts(4);
    const portal = `https://access.localhost:${people}`;
    const app = await startWitness();
    undo.push(() => app.close());
    const authority = await openAuthority(at('state/development-ca'), 'Fuzz', Date.now);
    const idp = await startProvider({
      issuer: `https://id.localhost:${provider}`,
      port: provider,
      certificate: await issueCertificate(authority, ['id.localhost']),
      client: { id: 'sallyport', secret: SECRET, redirectUris: [`${portal}/callback/corp`] },
      people: [{ id: 'ada', name: 'Ada', email: 'ada@example.com', groups: ['staff'], about: 'staff' }],
    });
    undo.push(
      () => idp.closeAllConnections(),
      () => idp.close(),
    );
    writeFileSync(at('policy.yaml'), POLICY);
    writeFileSync(at('secret'), SECRET, { mode: 0o600 });
    const gatewayText = `version: 1
state: ./state
policy: ./policy.yaml
portal: ${portal}
listen: { people: "127.0.0.1:${people}", connectors: "127.0.0.1:${connectors}", health: "127.0.0.1:${health}" }
identity:
  providers:
    - { id: corp, name: Corp, issuer: "https://id.localhost:${provider}", clientId: sallyport, clientSecret: { file: ./secret }, ca: ./state/development-ca/ca.pem }
outbox: { quota: 512MiB }
limits: { strangers: { perAddress: 10000000, together: 10000000 } }
apps:
  - { id: wiki, name: Wiki, host: ${HOST}, connectors: [rack] }
`;
    const gateway = await startGateway(resolvePaths(read(gatewaySchema, gatewayText), directory), {
      ...{
        version: '0',
        hostname: 'fuzz',
        log,
        now: Date.now,
        random: Math.random,
        configuration: { file: 'gateway.yaml', text: '' },
      },
    });
    undo.push(() => gateway.close('over', 0));
    const connector = await connect(at('state'), directory, connectors, await before(app.port), log);
    undo.push(() => connector.close(0));
    const visitor = new Visitor(authority.certificate);
    undo.push(() => visitor.close());
    const origin = `https://${HOST}:${people}`;
    const server = await listenerOf(gateway, () => visitor.signIn(`${origin}/open/first`, 'ada', 'password'));
    // Signing in has left connections open whose timers would outlive the bed.
    const cookie = visitor.cookieHeader(HOST);
    return {
      ...{ directory, app, portal, people, visitor, cookie, server, close },
      complaints,
      events: reader(at('state/outbox')),
      line: (servername = HOST) => {
        const line = new Line(servername);
        server.emit('secureConnection', line);
        return line;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In memory where that can be: the disk is not what is tried, and every change would wait for it. */
function scratch(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

function read<T>(schema: Parameters<typeof readDocument<T>>[0], text: string): T {
  const reading = readDocument(schema, text, 'document');
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.value;
}

async function connect(
  state: string,
  directory: string,
  gateway: number,
  app: number,
  log: Log,
): Promise<Connector> {
  const { body } = await callAdmin(state, 'POST', '/v1/enrolment-tokens', {
    name: 'rack',
    life: 60_000,
    by: 'fuzz',
  });
  const text = `version: 1
name: rack
gateway: https://localhost:${gateway}
state: ./connector-state
apps: { wiki: { url: "http://127.0.0.1:${app}" } }
`;
  const config = resolveConnector(read(connectorSchema, text), directory);
  await enrolConnector(config, String(body['token']), Date.now());
  const connector = startConnector(config, { log, now: Date.now, random: Math.random });
  await connector.ready;
  return connector;
}

/** The people's listener of a gateway: the one that answers what `ask` asks. */
async function listenerOf(gateway: Gateway, ask: () => Promise<unknown>): Promise<Server> {
  const { port } = gateway.addresses.people;
  let found: Server | undefined;
  const look = (message: unknown): void => {
    const { server } = message as { server: Server };
    const at = server.address();
    if (typeof at === 'object' && at?.port === port) found = server;
  };
  subscribe('http.server.request.start', look);
  try {
    await ask();
  } finally {
    unsubscribe('http.server.request.start', look);
  }
  if (found === undefined) throw new Error('no request came to the gateway');
  return found;
}

/** Answers the whole lines that were added to an outbox since the last time. */
function reader(outbox: string): () => Recorded[] {
  const read = new Map<string, number>();
  return () =>
    readdirSync(outbox)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .flatMap((name) => {
        const file = openSync(join(outbox, name), 'r');
        const chunks: Buffer[] = [];
        let at = read.get(name) ?? 0;
        for (let size = -1; size !== 0; at += size) {
          const chunk = Buffer.alloc(1 << 20);
          size = readSync(file, chunk, 0, chunk.length, at);
          chunks.push(chunk.subarray(0, size));
        }
        closeSync(file);
        const text = Buffer.concat(chunks);
        const end = text.lastIndexOf('\n') + 1;
        read.set(name, (read.get(name) ?? 0) + end);
        return text
          .toString('utf8', 0, end)
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Recorded);
      });
}
