// What the gateway keeps in memory for those who are connected and say nothing: tunnels, people, event streams.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { enrol } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { readToken } from '#connectors/link/token';
import { HOST } from '../spine/documents.ts';
import { startProduct, type Undo, within } from '../spine/product.ts';
import { startApp } from './app.ts';
import type { ClientsOrder } from './clients-process.ts';
import { COLLECTING, Memory } from './memory.ts';

const IDLE = Number(process.env['SALLYPORT_IDLE'] ?? 10_000);
/** One connector may have at most 64. */
const TUNNELS_EACH = 50;
const KB = 1024;

/** Twice this long after a request the gateway has forgotten what it keeps for the next one of a connection. */
const FORGOTTEN_MS = 5_100;

type Progress = (line: string) => void;

/** The light process; answers how many are open. */
function startClients(undo: Undo): (order: ClientsOrder) => Promise<number> {
  const child = fork(join(import.meta.dirname, 'clients-process.ts'), { execArgv: [] });
  undo.push(() => child.kill('SIGKILL'));
  return async (order) => {
    child.send(order);
    const [answer] = (await once(child, 'message')) as [{ open?: number; error?: string }];
    if (answer.open === undefined) throw new Error(`${order.open}: ${answer.error}`);
    return answer.open;
  };
}

/** Each tunnel over TLS with a certificate of a connector that has enrolled, as many connectors as that takes. */
async function tunnels(progress: Progress): Promise<Record<string, number>> {
  return within(async (directory, undo) => {
    const names = Array.from({ length: Math.ceil(IDLE / TUNNELS_EACH) }, (_, index) => `idle-${index}`);
    const { port: app } = await startApp(undo);
    const product = await startProduct(directory, undo, {
      app,
      connectors: names,
      gatewayFlags: COLLECTING,
    });
    const gateway = `https://localhost:${product.ports.connectors}`;
    progress(`enrolling ${names.length} connectors`);
    const identities: Identity[] = [];
    for (const name of names) {
      const token = readToken(await product.token(name), Date.now());
      identities.push(await enrol(new URL(gateway), token));
    }
    const clients = startClients(undo);
    const memory = new Memory(product.gateway);
    await clients({ open: 'tunnels', count: Math.min(200, IDLE), gateway, identities });
    const { rss: before } = await memory.settled();
    progress(`opening ${IDLE} tunnels`);
    const had = await product.metric('sallyport_tunnels');
    await clients({ open: 'tunnels', count: IDLE, gateway, identities });
    const open = (await product.metric('sallyport_tunnels')) - had;
    const { rss: after } = await memory.settled();
    return { kb_per_idle_tunnel: (after - before) / KB / open, idle_tunnels: open };
  });
}

/** People who have asked once and keep their connection, then an event stream on each of those. */
async function people(progress: Progress): Promise<Record<string, number>> {
  return within(async (directory, undo) => {
    const { port: app } = await startApp(undo);
    const product = await startProduct(directory, undo, {
      app,
      gatewayFlags: COLLECTING,
      connectorFlags: COLLECTING,
    });
    const visitor = await product.signIn('ada');
    const cookie = visitor.cookieHeader(HOST);
    const { certificate: ca } = product.authority;
    const clients = startClients(undo);
    const gateway = new Memory(product.gateway);
    const connector = new Memory(product.connector);
    /** Others go on asking meanwhile. */
    const quiet = async (): Promise<void> => {
      for (let half = 0; half < 2; half += 1) {
        await sleep(FORGOTTEN_MS);
        await clients({ ...order, count: 1 });
      }
    };
    const order = { open: 'users', port: product.ports.people, host: HOST, ca, cookie } as const;
    await clients({ ...order, count: Math.min(200, IDLE) });
    const { rss: before } = await gateway.settled();
    progress(`connecting ${IDLE} people`);
    await clients({ ...order, count: IDLE });
    await quiet();
    const { rss: between } = await gateway.settled();
    const { rss: connectorBetween } = await connector.settled();
    progress('an event stream for each');
    const open = await clients({ open: 'streams', host: HOST, cookie });
    await quiet();
    const { rss: after } = await gateway.settled();
    const { rss: connectorAfter } = await connector.settled();
    const streams = await product.metric('sallyport_open_exchanges');
    if (streams !== open) throw new Error(`${open} event streams are open, the gateway has ${streams}`);
    return {
      kb_per_idle_tls_user: (between - before) / KB / IDLE,
      kb_per_idle_stream: (after - between) / KB / streams,
      kb_per_idle_stream_connector: (connectorAfter - connectorBetween) / KB / streams,
      idle_users: IDLE,
      idle_streams: streams,
    };
  });
}

export async function idle(progress: Progress): Promise<Record<string, number>> {
  return { ...(await tunnels(progress)), ...(await people(progress)) };
}
