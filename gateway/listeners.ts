// Makes the two TLS listeners with their certificates: what people reach, and what connectors dial.

import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { SallyportEvent } from '#siem/event';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import type { DeviceDesk } from './attest/desk.ts';
import type { KeyProofs } from './attest/key-proof.ts';
import type { GatewayConfig } from './config.ts';
import type { ListenAddress } from './config-values.ts';
import type { Accepts } from './edge/accepts.ts';
import type { Connections } from './edge/connections.ts';
import { clientAuthorities, type KnownConnector } from './edge/connector-certificates.ts';
import { connectorsListener } from './edge/connectors-listener.ts';
import type { Exchange } from './edge/exchange.ts';
import type { Farewell } from './edge/farewell.ts';
import {
  type PeopleHandlers,
  type PeopleListener,
  peopleListener,
  refuseBare,
} from './edge/people-listener.ts';
import type { Sites } from './edge/sites.ts';
import type { TicketKeys } from './edge/ticket-keys.ts';
import { TLS_SETTINGS } from './edge/tls.ts';
import type { Flow } from './flow.ts';
import { type Strangers, TooMany } from './inspect/strangers.ts';
import { DEVELOPMENT_CA } from './keys.ts';
import type { CertificateRevocations } from './pki/certificate-revocations.ts';
import type { EnrolmentDesk } from './pki/enrolment.ts';
import { type Expiring, FileCertificate } from './pki/file-certificate.ts';
import type { Authority } from './pki/issued.ts';
import type { Issuer } from './pki/issuer.ts';
import { issueCertificate, keepRenewed } from './pki/server-certificate.ts';
import { Peers } from './relay/peers.ts';
import { servedBy } from './services.ts';
import type { Store } from './state/store.ts';
import type { TunnelRelays } from './tunnel/relay.ts';
import type { Tunnels, TunnelsOptions } from './tunnel/tunnels.ts';
import { isWorkerOf } from './workers/config.ts';

/** Steps that take back what was started, in order. */
type Undo = (() => unknown)[];

export interface PeopleParts {
  readonly config: GatewayConfig;
  readonly issuer: Issuer;
  readonly sites: Sites;
  readonly flow: Flow;
  readonly connections: Connections;
  readonly strangers: Strangers;
  readonly recorder: Recorder;
  readonly tickets: TicketKeys;
  readonly log: Log;
  readonly now: () => number;
}

export interface PeopleServer {
  readonly server: PeopleListener['server'];
  readonly farewell: Farewell;
  /** Undefined where the development CA is used. */
  readonly certificate: FileCertificate | undefined;
  /** PEM; undefined with certificates of one's own. */
  readonly developmentCa: string | undefined;
}

export async function peopleServer(parts: PeopleParts, undo: Undo): Promise<PeopleServer> {
  const { config, issuer, sites, flow, recorder, tickets, log, now } = parts;
  const handlers = handlersOf(flow, parts);
  if (config.tls !== undefined) {
    const files = new FileCertificate({
      ...{ files: config.tls, hosts: sites.hosts, log, now },
      onExpiring: (expiring) => warn(recorder, log, expiring),
    });
    const { server, farewell } = peopleListener(files.current, config.limits, handlers);
    tickets.attend(server, 'people');
    const timer = files.follow(server, TLS_SETTINGS);
    undo.push(() => clearInterval(timer));
    return { server, farewell, certificate: files, developmentCa: undefined };
  }
  const ca = issuer.authority(DEVELOPMENT_CA.directory);
  const { notAfter, ...certificate } = await issueCertificate(ca, sites.hosts);
  const { server, farewell } = peopleListener(certificate, config.limits, handlers);
  tickets.attend(server, 'people');
  const renewed = { authority: ca, names: sites.hosts, notAfter, settings: () => TLS_SETTINGS, now, log };
  const timer = keepRenewed(server, renewed);
  undo.push(() => clearInterval(timer));
  return { server, farewell, certificate: undefined, developmentCa: ca.certificate };
}

/** What a listener does with requests, and with bytes that are none. */
export function handlersOf(
  flow: { take(exchange: Exchange): Promise<void> },
  { connections, strangers, log }: Pick<PeopleParts, 'connections' | 'strangers' | 'log'>,
): PeopleHandlers {
  return {
    take: (exchange) => void flow.take(exchange),
    unparsable: (socket, code) => {
      const request = { socket, headers: {} } as Parameters<Connections['refusal']>[0];
      const event = connections.refusal(request, refuseBare(socket, code));
      strangers.record(event).catch((error: unknown) => {
        if (!(error instanceof TooMany)) log.error({ err: error }, 'a refusal was not recorded');
      });
    },
  };
}

function warn(recorder: Recorder, log: Log, { notAfter, days }: Expiring): void {
  log.warn(
    { notAfter: new Date(notAfter).toISOString() },
    `the certificate for people ends within ${days} days`,
  );
  recorder
    .record({ kind: 'certificate-expiring', certificate: 'people', notAfter, days })
    .catch((error: unknown) => log.error({ err: error }, 'a warning was not recorded'));
}

export interface ConnectorParts {
  readonly config: GatewayConfig;
  readonly desk: EnrolmentDesk;
  readonly devices: DeviceDesk;
  readonly keyProofs: KeyProofs;
  readonly authority: Authority;
  readonly revocations: CertificateRevocations;
  readonly tunnels: TunnelRelays;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  readonly accepts: Accepts;
  readonly tickets: TicketKeys;
  readonly log: Log;
  readonly now: () => number;
}

export async function connectorServer(
  parts: ConnectorParts,
  undo: Undo,
): Promise<ReturnType<typeof connectorsListener>> {
  const { config, desk, devices, keyProofs, authority, tunnels, recorder, strangers, accepts, tickets } =
    parts;
  const { revocations, log, now } = parts;
  const { hosts, trustDomain } = config.connectors;
  const { notAfter, ...certificate } = await issueCertificate(authority, hosts);
  const server = connectorsListener(certificate, config.limits, {
    desk,
    devices,
    keyProofs,
    admitted: (client) => strangers.admit('key-proof', client),
    authority,
    trustDomain,
    revoked: (serial) => revocations.covers(serial),
    lists: () => revocations.lists,
    accepts,
    record: async (event: SallyportEvent) => {
      await recorder.record(event, { durable: true });
    },
    refused: async (event) => {
      await strangers.record(event, { durable: true });
    },
    linked: (ws, { name, certificate: { serial, notAfter }, client: { address } }) => {
      const served = new Map(servedBy(config).map(({ id, connectors }) => [id, new Set<string>(connectors)]));
      tunnels.accept(ws, {
        ...{ connector: `gateway/${name}`, relay: true, address, serial, notAfter },
        apps: new Set(served.keys()),
        serves: (app, connector) => served.get(app)?.has(connector) === true,
      });
    },
    connected: (ws, { name, key, certificate, client }: KnownConnector) => {
      const own = servedBy(config).filter((one) => one.connectors.includes(name));
      const apps = new Set(own.map(({ id }) => id));
      const { serial, notAfter } = certificate;
      tunnels.accept(ws, { connector: name, apps, address: client.address, serial, notAfter, key });
    },
  });
  tickets.attend(server, 'connectors');
  const settings = (): object => ({
    ...{ ...TLS_SETTINGS, minVersion: 'TLSv1.3' },
    ca: clientAuthorities(authority),
  });
  const timer = keepRenewed(server, { authority, names: hosts, notAfter, settings, now, log });
  undo.push(() => clearInterval(timer));
  return server;
}

export interface PeersParts extends Pick<ConnectorParts, 'config' | 'authority' | 'now'> {
  readonly store: Store;
  readonly tunnels: Tunnels;
  readonly log: Log;
}

/** The links to other gateways, where there can be others. `door`: where those come in. */
export function peersOf(
  parts: PeersParts,
  door: { readonly port: number; readonly own: boolean },
): Peers | undefined {
  const { config, tunnels } = parts;
  if (config.store.kind === 'embedded') return undefined;
  const { worker } = config;
  const { hosts, trustDomain, relay } = config.connectors;
  const host = hosts.find((name) => name !== 'localhost') ?? 'localhost';
  const address = new URL(relay ?? `https://${host.includes(':') ? `[${host}]` : host}`);
  if (relay === undefined || door.own) address.port = String(door.port);
  const peers = new Peers({
    ...parts,
    trustDomain,
    name: config.name,
    address: address.origin,
    sibling: worker && ((name) => isWorkerOf(worker.of, name)),
    offers: () => tunnels.offers,
    choose: (offer) => tunnels.own(offer),
  });
  void peers.look();
  return peers;
}

/** Connectors coming and going, as events. */
export function tunnelEvents(
  recorder: Recorder,
  log: Log,
  now: () => number,
): Pick<TunnelsOptions, 'onConnect' | 'onDisconnect'> {
  const note = (event: SallyportEvent): void => {
    recorder
      .record(event)
      .catch((error: unknown) => log.error({ err: error }, `${event.kind} was not recorded`));
  };
  return {
    onConnect: ({ connector, link, software, serial, address, apps }) =>
      note({
        kind: 'connector-connected',
        connector: { name: connector, version: software.replace(/^sallyport\//, '') },
        link,
        certificate: { serial },
        client: { address },
        apps,
      }),
    onDisconnect: ({ connector, link, address, connectedAt }, reason, code, streamsLost) =>
      note({
        kind: 'connector-disconnected',
        connector: { name: connector },
        link,
        client: { address },
        // What we refuse it for is a code of its own; a connector's words are never one.
        code: code === 'refused' && /^[a-z-]+$/.test(reason) ? reason : code,
        reason,
        connectedAt,
        durationMs: Math.max(0, now() - connectedAt),
        streamsLost,
      }),
  };
}

/** Listens; answers where, after port 0 was resolved. `reusePort`: with other processes at the same address. */
export async function listen(
  server: Server,
  at: ListenAddress,
  undo: Undo,
  reusePort = false,
): Promise<AddressInfo> {
  server.listen({ ...at, reusePort });
  await once(server, 'listening');
  undo.push(() => stop(server));
  return server.address() as AddressInfo;
}

/** Another way into a listener that is shared with other processes: who comes by it reaches this one. */
export async function sideDoor(server: Server, at: ListenAddress, undo: Undo): Promise<AddressInfo> {
  const door = createServer({ noDelay: true }, (socket) => server.emit('connection', socket));
  door.listen(at.port, at.host);
  await once(door, 'listening');
  undo.push(() => void door.close());
  return door.address() as AddressInfo;
}

/** Closes at once, with every connection. */
export async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
