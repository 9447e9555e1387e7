// Everything that is measured, as processes of their own on loopback: the app, nginx, a plain Node proxy, and a whole
// Sallyport with somebody signed in.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { findTail, listSegments, segmentPath } from '#siem/outbox/segment';
import { Part } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { withChildren } from './cpu.ts';
import { HOST } from './documents.ts';
import { startApp, startReverseProxy } from './nginx.ts';
import { type ProductOptions, startProduct, type Undo } from './product.ts';

/** The launcher's own, so that rivals in Node run on the same heap as the gateway. */
export const HEAP_FLAGS: readonly string[] = [
  '--initial-old-space-size=512',
  '--external-memory-accounted-in-global-limit',
];

/** One way to the app. */
export interface Target {
  readonly origin: string;
  /** The processes of the proxy, by what they are. */
  pids(): Readonly<Record<string, readonly number[]>>;
  /** The session's cookie on the app's host; a proxy that asks for none gets that of the installation. */
  readonly cookie?: string;
}

/** A whole Sallyport with somebody signed in. */
export interface Installed extends Target {
  readonly authority: Authority;
  readonly cookie: string;
  /** Records in its outboxes so far. */
  records(): number;
}

export interface SpineInstallation {
  readonly directory: string;
  readonly appPort: number;
  readonly sallyport: Installed;
  readonly nginx: Target;
  /** Where the certificate that rivals show lies, as cert.pem and key.pem. */
  readonly certificates: string;
  readonly undici: Target;
  /** What nginx shows. */
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** Starts a whole Sallyport and signs somebody in. */
export async function install(directory: string, undo: Undo, options: ProductOptions): Promise<Installed> {
  const { authority, origin, gateway, connector, signIn } = await startProduct(directory, undo, options);
  const visitor = await signIn('ada');
  const { workers } = options;
  const states =
    workers === undefined ? ['.'] : Array.from({ length: workers }, (_, index) => `worker-${index + 1}`);
  return {
    authority,
    origin,
    cookie: visitor.cookieHeader(HOST),
    pids: () => ({ gateway: withChildren(gateway.pid), connector: [connector.pid] }),
    records: () =>
      states.reduce((sum, state) => sum + recordsIn(join(directory, 'state', state, 'outbox')), 0),
  };
}

/** `profile`: a folder for CPU profiles of gateway and connector, written when they stop. */
export async function startSpine(
  directory: string,
  undo: Undo,
  profile: string | undefined,
): Promise<SpineInstallation> {
  const [app = 0, nginx = 0, undici = 0] = await freePorts(3);
  const path = (name: string): string => join(directory, name);
  const appPart = await startApp(path('app'), app);
  undo.push(() => appPart.stop());
  const profiled = (name: string): string[] =>
    profile === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}.cpuprofile`];
  const sallyport = await install(directory, undo, {
    app,
    gatewayFlags: profiled('gateway'),
    connectorFlags: profiled('connector'),
  });
  const certificate = await issueCertificate(sallyport.authority, [HOST]);
  const nginxPart = startReverseProxy(path('nginx'), { listen: nginx, app }, certificate);
  undo.push(() => nginxPart.stop());
  const undiciPart = new Part(
    'undici',
    process.execPath,
    [
      ...HEAP_FLAGS,
      join(import.meta.dirname, 'undici-proxy.ts'),
      String(undici),
      `http://127.0.0.1:${app}`,
      path('nginx'),
    ],
    { cwd: directory, log: path('undici.log') },
  );
  undo.push(() => undiciPart.stop());
  await undiciPart.said(/^ready$/m);
  return {
    directory,
    appPort: app,
    sallyport,
    nginx: { origin: `https://${HOST}:${nginx}`, pids: () => ({ proxy: withChildren(nginxPart.pid) }) },
    undici: { origin: `https://${HOST}:${undici}`, pids: () => ({ proxy: [undiciPart.pid] }) },
    certificate,
    certificates: path('nginx'),
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
