// Everything that is measured, as processes of their own on loopback: the app, nginx, a plain Node proxy, and a whole
// Sallyport started by the commands an admin types, with somebody signed in.
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProvider } from '#bin/demo/provider';
import { Visitor } from '#bin/demo/visitor';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { findTail, listSegments, segmentPath } from '#siem/outbox/segment';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { withChildren } from './cpu.ts';
import { CONNECTOR, connectorDocument, gatewayDocument, HOST, PERSON, policyDocument } from './documents.ts';
import { startApp, startReverseProxy } from './nginx.ts';

const LAUNCHER = join(import.meta.dirname, '../../../bin/sallyport.js');
/** The launcher's own, so that the plain proxy runs on the same heap as the gateway. */
const HEAP_FLAGS = ['--initial-old-space-size=512', '--external-memory-accounted-in-global-limit'];

/** One way to the app. */
export interface Target {
  readonly origin: string;
  /** The processes of the proxy, by what they are. */
  pids(): Readonly<Record<string, readonly number[]>>;
}

export interface SpineInstallation {
  readonly directory: string;
  readonly appPort: number;
  readonly sallyport: Target;
  readonly nginx: Target;
  readonly undici: Target;
  /** The session's cookie on the app's host. */
  readonly cookie: string;
  /** Records in the outbox so far. */
  records(): number;
  close(): Promise<void>;
}

/** `profile`: a folder for CPU profiles of gateway and connector, written when they stop. */
export async function startSpine(profile: string | undefined): Promise<SpineInstallation> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-spine-'));
  const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await start(directory, profile, undo)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  directory: string,
  profile: string | undefined,
  undo: (() => unknown)[],
): Promise<Omit<SpineInstallation, 'close'>> {
  const [people = 0, connectors = 0, health = 0, provider = 0, app = 0, nginx = 0, undici = 0] =
    await freePorts(7);
  const ports = { people, connectors, health, provider, app };
  const portal = `https://access.localhost:${people}`;
  const path = (name: string): string => join(directory, name);
  const part = (name: string, args: readonly string[]): Part => {
    const one = new Part(name, process.execPath, args, { cwd: directory, log: path(`${name}.log`) });
    undo.push(() => one.stop());
    return one;
  };

  const secret = randomBytes(32).toString('base64url');
  mkdirSync(path('state'), { mode: 0o700 });
  for (const [name, text] of [
    ['gateway.yaml', gatewayDocument(ports)],
    ['connector.yaml', connectorDocument(ports)],
    ['policy.yaml', policyDocument()],
    ['client-secret', secret],
  ] as const) {
    writeFileSync(path(name), text, { mode: 0o600 });
  }
  // The gateway finds its development CA already made, so that everybody's certificate is from the same one.
  const authority = await openAuthority(path('state/development-ca'), 'Bench', Date.now);
  const identity = await startProvider({
    issuer: `https://id.localhost:${provider}`,
    port: provider,
    certificate: await issueCertificate(authority, ['id.localhost']),
    client: { id: 'sallyport', secret, redirectUris: [`${portal}/callback/corp`] },
    people: [PERSON],
  });
  undo.push(
    () => identity.closeAllConnections(),
    () => identity.close(),
  );

  const appPart = await startApp(path('app'), app);
  undo.push(() => appPart.stop());
  const certificate = await issueCertificate(authority, [HOST]);
  const nginxPart = startReverseProxy(path('nginx'), { listen: nginx, app }, certificate);
  undo.push(() => nginxPart.stop());
  const undiciPart = part('undici', [
    ...HEAP_FLAGS,
    join(import.meta.dirname, 'undici-proxy.ts'),
    String(undici),
    `http://127.0.0.1:${app}`,
    path('nginx'),
  ]);
  await undiciPart.said(/^ready$/m);

  const profiled = (name: string): string[] =>
    profile === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}.cpuprofile`];
  const gateway = part('gateway', [
    ...profiled('gateway'),
    LAUNCHER,
    ...['gateway', '--config', 'gateway.yaml', '--json'],
  ]);
  await gateway.said(/"ready":true/);
  const token = part('token', [
    LAUNCHER,
    ...['token', 'create', '--config', 'gateway.yaml', '--connector', CONNECTOR, '--out', 'enrol.token'],
  ]);
  if ((await token.ended).code !== 0) throw new Error(token.output);
  const connector = part('connector', [
    ...profiled('connector'),
    LAUNCHER,
    ...['connector', '--config', 'connector.yaml', '--token-file', 'enrol.token'],
  ]);
  const metric = async (name: string): Promise<number> => {
    const reply = await fetch(`http://127.0.0.1:${health}/metrics`);
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(await reply.text())?.[1]);
  };
  await until('the tunnel', async () => (await metric('sallyport_connectors')) > 0);

  const visitor = new Visitor(authority.certificate);
  undo.push(() => visitor.close());
  const origin = `https://${HOST}:${people}`;
  const page = await visitor.signIn(`${origin}/`, PERSON.id, 'password');
  if (page.status !== 200) throw new Error(`signing in ended with ${page.status}:\n${page.body}`);

  return {
    directory,
    appPort: app,
    sallyport: { origin, pids: () => ({ gateway: [gateway.pid], connector: [connector.pid] }) },
    nginx: { origin: `https://${HOST}:${nginx}`, pids: () => ({ proxy: withChildren(nginxPart.pid) }) },
    undici: { origin: `https://${HOST}:${undici}`, pids: () => ({ proxy: [undiciPart.pid] }) },
    cookie: visitor.cookieHeader(HOST),
    records: () => recordsIn(path('state/outbox')),
  };
}

/** The number of the last record: they are numbered without gaps. */
function recordsIn(outbox: string): number {
  const last = listSegments(outbox).at(-1);
  if (last === undefined) return 0;
  const fd = openSync(segmentPath(outbox, last.number), 'r');
  try {
    const { record } = findTail(fd);
    return (record as { event: { sequence: number } } | undefined)?.event.sequence ?? 0;
  } finally {
    closeSync(fd);
  }
}
