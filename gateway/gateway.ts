// Wires a gateway from its configuration: the one place where the rooms meet. Starting either works whole or
// leaves nothing behind; closing lets what is open finish within its grace.
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Log } from '#siem/log';
import { Revocations } from './access/revocations.ts';
import { Revoke } from './access/revoke.ts';
import { Rulings } from './access/ruling.ts';
import { OpenExchanges } from './access/streams.ts';
import { Ways } from './access/ways.ts';
import type { Addresses } from './addresses.ts';
import { ailmentsOf } from './ailments.ts';
import { Carriage } from './carriage.ts';
import type { ConfigurationFile } from './change/changes.ts';
import type { GatewayConfig } from './config.ts';
import { adminListener } from './console/admin.ts';
import { openAdmins } from './console/admins.ts';
import { Drills } from './console/drill.ts';
import { healthListener } from './console/health.ts';
import { Metrics } from './console/metrics.ts';
import { Countries } from './context/countries.ts';
import { deviceVerifier, machinesOf, wireDevices } from './devices.ts';
import { Accepts } from './edge/accepts.ts';
import { Connections } from './edge/connections.ts';
import { Sites } from './edge/sites.ts';
import { TicketKeys } from './edge/ticket-keys.ts';
import { codeHash, configurationHash } from './fingerprints.ts';
import { Flow } from './flow.ts';
import { openInForce } from './force.ts';
import { Heartbeat } from './heartbeat.ts';
import { providersOf } from './identity/providers.ts';
import { serviceLives } from './identity/services.ts';
import { Sessions } from './identity/sessions.ts';
import { SignIn } from './identity/sign-in.ts';
import { Rates } from './inspect/rates.ts';
import { Strangers } from './inspect/strangers.ts';
import { CONNECTOR_CA, openIssuer, openOffice, openSigner, openSshDesk } from './keys.ts';
import { connectorServer, listen, peersOf, peopleServer, sideDoor, stop, tunnelEvents } from './listeners.ts';
import { answersFor } from './pages.ts';
import { openRecord } from './record.ts';
import { serviceServer } from './service-listener.ts';
import { servedBy } from './services.ts';
import { SshCertificates } from './ssh-certificates.ts';
import { openWhole } from './state/open.ts';
import { requirePrivate } from './state/private-files.ts';
import { rehearsable } from './state/rehearsal.ts';
import { SteadyClock } from './state/steady-clock.ts';
import { Tunnels } from './tunnel/tunnels.ts';
import { Turn } from './tunnel/turn.ts';
import type { Seat } from './workers/seat.ts';

/** How often sessions that nobody uses are dropped from memory, in milliseconds. */
const SWEEP_INTERVAL = 30_000;

export interface Surroundings {
  readonly version: string;
  readonly hostname: string;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
  /** The document that the configuration was read from. */
  readonly configuration: ConfigurationFile;
  /** For one of several workers. */
  readonly seat?: Seat | undefined;
}

/** A gateway that serves. */
export interface Gateway {
  /** Where it listens, after port 0 was resolved. */
  readonly addresses: Addresses;
  /** PEM of the development CA people's browsers must trust; undefined with certificates of one's own. */
  readonly developmentCa: string | undefined;
  reloadPolicy(): Promise<readonly string[]>;
  /** Drains for at most `grace` milliseconds, then stops. */
  close(reason: string, grace: number): Promise<void>;
}

export async function startGateway(config: GatewayConfig, around: Surroundings): Promise<Gateway> {
  const undo: (() => unknown)[] = [];
  try {
    return await wire(config, around, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function wire(given: GatewayConfig, around: Surroundings, undo: (() => unknown)[]): Promise<Gateway> {
  const { log, seat } = around;
  const clock = new SteadyClock(around.now);
  const { now } = clock;
  const startedAt = now();
  mkdirSync(given.state, { recursive: true, mode: 0o700 });
  requirePrivate(given.state);

  // What must be there before anything is decided: state, record, keys, policy.
  const state = rehearsable(await openWhole(given.store, { log, now }));
  const { store } = state;
  undo.push(() => store.close());
  const sites = new Sites(given);
  const issuer = await openIssuer(given, store, { now, log }, undo, sites.hosts);
  const connectorCa = issuer.authority(CONNECTOR_CA.directory);
  const portalOrigin = new URL(given.portal).origin;
  const here = { ...around, now, turn: new Turn() };
  const { outbox, recorder, shipping, loggedChange } = await openRecord(given, here, undo);
  const metrics = new Metrics();
  const { config, release, changes, policyFile } = await openInForce(
    {
      ...{ config: given, recorder, log, now, configuration: around.configuration, logged: loggedChange },
      onSwap: () => void open.review('policy-changed'),
    },
    undo,
  );
  const known = deviceVerifier(config, store, { log, now, recorder }, undo);
  const { verifier, keyProofs, makersEndingBy, standings, connectorStandings } = known;
  const keeping = { config, issuer, store, recorder, keyProofs, makersEndingBy, log, now };
  const { desk, office, revocations: struck } = await openOffice(keeping, undo);
  const told = tunnelEvents(recorder, log, now);
  const tunnels = new Tunnels({ ...here, ...told, revoked: (serial) => struck.has(serial) });
  undo.push(() => tunnels.drain(0));
  const heartbeat = new Heartbeat({
    ...{ recorder, outbox, shipping, log, startedAt, now },
    connectors: () => tunnels.count.connectors,
    policyHash: () => policyFile.current.hash,
  });
  undo.push(() => heartbeat.stop());
  const strangers = new Strangers({
    ...{ limits: config.limits.strangers, store, recorder, metrics, now },
    behind: () => heartbeat.behind,
  });
  undo.push(() => strangers.stop());
  const revocations = new Revocations(store, now);
  undo.push(() => revocations.stop());
  const rulings = new Rulings(
    () => policyFile.current,
    (session, input) => revocations.covers(session, input),
  );
  const signer = await openSigner(config, store, { now, log }, undo);

  // Who asks, and what is open in their name.
  const providers = providersOf(config.identity.providers, portalOrigin, now);
  const sessions = new Sessions(
    store,
    { ...config.identity.sessions, providers },
    now,
    async (session, cause) => {
      open.endSession(session.id);
      // Those two have events of their own, with more to say.
      if (cause === 'logout' || cause === 'revoked') return;
      await recorder.record({ kind: 'session-ended', cause, subject: session.subject, session: session.id });
    },
    (session) => revocations.coversSession(session),
  );
  const sweep = setInterval(() => sessions.sweep(), SWEEP_INTERVAL).unref();
  undo.push(() => clearInterval(sweep));
  const ways = new Ways(rulings, tunnels, connectorStandings);
  const open: OpenExchanges = new OpenExchanges(
    rulings,
    (session) =>
      session.subject.kind === 'service' ? serviceLives(session, now()) : sessions.alive(session.id),
    now,
    machinesOf({ rulings, standings, connectorStandings }),
  );
  const devices = wireDevices(verifier, {
    ...{ config, origin: portalOrigin, sites, store, sessions, recorder, strangers, log, now },
    review: () => {
      standings.changed();
      connectorStandings.changed();
      return open.review('posture-changed');
    },
  });
  const signIn = new SignIn(providers, store, sessions, now);

  const gives = { issuer, store, sessions, revocations, devices: verifier, recorder, log, now };
  const sshDesk = await openSshDesk(config, gives, undo);

  // The way of a request.
  const revoke = new Revoke({
    ...{ revocations, sessions, open, desk, tunnels, recorder, now },
    machine: (key) => connectorStandings.machine(key),
    longestSession: config.identity.sessions.absolute,
  });
  await revoke.listen();
  const connections = new Connections(new Countries(config.context.countries));
  const answers = answersFor({
    ...{ config, sites, connections, providers, signIn, sessions, signer, ways, tunnels, standings },
    ...{ revoke, store, recorder, strangers, sshDesk, log, now },
    devices: devices.app,
    expectsEvidence: devices.expectsEvidence,
  });
  const carriage = new Carriage({ tunnels, signer, open, recorder, answers, log, now });
  const certificates =
    sshDesk && new SshCertificates({ desk: sshDesk, sites, connections, answers, recorder, strangers });
  const flow = new Flow({
    ...{ sites, connections, sessions, standings, ways, recorder, metrics, answers, carriage, log, now },
    terminals: devices.terminals,
    ...{ rates: new Rates(store, now), strangers, certificates },
  });

  const fingerprints = { configHash: seat?.configHash ?? configurationHash(given), codeHash: codeHash() };
  await recorder.record({
    kind: 'gateway-started',
    ...fingerprints,
    ...{ policyHash: policyFile.current.hash, changeId: changes?.current?.id },
    ...{ runtime: process.version, timezones: process.versions['tz'] },
    repairedBytes: outbox.repairedBytes,
  });

  // The listeners.
  const tickets = seat?.tickets ?? TicketKeys.turning(undo);
  const accepts = new Accepts(config.connectors.accepts, now);
  const reusePort = seat !== undefined;
  const listening = {
    ...{ config, issuer, revocations: struck, connections, strangers, recorder, tickets, log, now },
  };
  const people = await peopleServer({ ...listening, sites, flow }, undo);
  const connectors = await connectorServer(
    { ...listening, desk, devices: devices.desk, keyProofs, authority: connectorCa, tunnels, accepts },
    undo,
  );
  const services = await serviceServer(
    {
      ...{ ...listening, authority: connectorCa, flow, answers, metrics, signer, sessions, store, tunnels },
      reusePort,
    },
    undo,
  );
  let peers: ReturnType<typeof peersOf>;
  const health = healthListener({
    condition: () => ({
      ailments: [...ailmentsOf({ recorder, store, clock }), ...people.farewell.ailments],
      warnings: [...office.warnings, ...store.warnings(), ...(peers?.warnings ?? [])],
    }),
    metrics: () => metrics.text({ ...tunnels.count, openExchanges: open.size, recording: recorder.healthy }),
  });
  const admin = await adminListener(config, {
    admins: openAdmins({ config, signed: () => changes?.admins, store, recorder, outbox, now }),
    ...{ desk, office, recorder, strangers, revoke },
    devices: devices.desk,
    sessions,
    ssh: sshDesk,
    drills: new Drills({
      ...{ state, clock, providers, shipping, outbox, recorder, metrics, tunnels, accepts },
      ...{ policy: policyFile, certificate: people.certificate },
      ailments: () => ailmentsOf({ recorder, store, clock }),
    }),
    connectorNames: new Set(servedBy(config).flatMap(({ connectors }) => connectors)),
    reloadPolicy: () => policyFile.reload(),
    changes,
    status: () => ({
      policy: policyFile.current.hash,
      change: changes?.current?.id,
      release,
      ...fingerprints,
      connectors: tunnels.connectors(),
      openExchanges: open.size,
    }),
  });
  undo.push(() => stop(admin));
  const addresses = {
    people: await listen(people.server, config.listen.people, undo, reusePort),
    connectors: await listen(connectors, config.listen.connectors, undo, reusePort),
    health: await listen(health, config.listen.health, undo),
    services: services?.server.address() as AddressInfo | undefined,
  };
  const door = seat === undefined ? addresses.connectors : await sideDoor(connectors, seat.relay, undo);
  peers = peersOf(
    { config, store, authority: connectorCa, tunnels, log, now },
    { port: door.port, own: seat !== undefined },
  );
  undo.push(() => peers?.stop());
  policyFile.watch();
  changes?.watch(() => policyFile.adopt(changes));
  open.start();
  undo.push(() => open.stop());
  return {
    addresses,
    developmentCa: people.developmentCa,
    reloadPolicy: () => policyFile.reload(),
    close: async (reason, grace) => {
      connectors.close();
      await peers?.stop();
      const farewells = (services === undefined ? [people] : [people, services]).map((one) => one.farewell);
      const said = farewells.map((one) => one.say(grace, () => open.sockets));
      const left = Math.min(...(await Promise.all(said)));
      const cut = (ms: number) => Promise.all(farewells.map((one) => one.gone(ms))).then(() => open.endAll());
      await tunnels.drain((await seat?.allAnswered(left)) ?? left, cut);
      people.server.closeAllConnections();
      await strangers.tell();
      await recorder
        .record({ kind: 'gateway-stopped', reason, uptimeMs: now() - startedAt }, { durable: true })
        .catch(() => undefined);
      for (const step of undo.reverse()) await step();
    },
  };
}
