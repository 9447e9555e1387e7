// Wires what a gateway knows of devices: the verifier with its desk, standings for decisions, the doors that devices
// open, and the portal's addresses for them.
import type { Hono } from 'hono';
import { DEVICE_PATHS } from '#connectors/wire/evidence';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import type { Rulings } from './access/ruling.ts';
import type { Machines, OpenExchange } from './access/streams.ts';
import { DeviceDesk } from './attest/desk.ts';
import { EndorsementFiles } from './attest/endorsement-files.ts';
import { KeyProofs } from './attest/key-proof.ts';
import { Verifier } from './attest/verifier.ts';
import type { GatewayConfig } from './config.ts';
import { ConnectorStandings } from './context/connector-standing.ts';
import { Standings } from './context/standing.ts';
import type { CleanRequest } from './edge/front.ts';
import type { Sites } from './edge/sites.ts';
import { Proofs } from './identity/dpop.ts';
import type { Sessions } from './identity/sessions.ts';
import { Terminals } from './identity/terminal.ts';
import type { Strangers } from './inspect/strangers.ts';
import { browserApp } from './portal/browser.ts';
import { devicesApp } from './portal/devices.ts';
import { destinationOf, onwards, type PortalRequest } from './portal/portal.ts';
import type { Store } from './state/store.ts';
import type { CarryingConnector } from './tunnel/relay.ts';

const NONCE = /^[A-Za-z0-9_-]{43}$/;

export interface DevicesParts {
  readonly config: GatewayConfig;
  /** The portal's origin. */
  readonly origin: string;
  readonly sites: Sites;
  readonly store: Store;
  readonly sessions: Sessions;
  readonly recorder: Recorder;
  readonly strangers: Strangers;
  readonly log: Log;
  readonly now: () => number;
  /** Decides everything open again. */
  readonly review: () => Promise<void>;
}

export interface Devices {
  readonly desk: DeviceDesk;
  readonly terminals: Terminals;
  /** Whether a request answers a challenge that was made, and so may bring a whole event log. */
  readonly expectsEvidence: (request: CleanRequest) => Promise<boolean>;
  /** For the portal, below /device. */
  readonly app: Hono<{ Bindings: PortalRequest }>;
}

/** What a decision may know of devices. Throws EndorsementConfigError. */
export function deviceVerifier(
  { attestation }: GatewayConfig,
  store: Store,
  around: { readonly log: Log; readonly now: () => number; readonly recorder: Recorder },
  undo: (() => unknown)[],
): {
  readonly verifier: Verifier;
  readonly keyProofs: KeyProofs;
  /** Certificates of TPM makers' CAs that end by a time. */
  readonly makersEndingBy: (time: number) => readonly Buffer[];
  readonly standings: Standings;
  readonly connectorStandings: ConnectorStandings;
} {
  const files = new EndorsementFiles(attestation, around.log);
  undo.push(() => files.close());
  const enrolling = {
    store,
    endorsements: () => files.current,
    challengeLife: attestation.challenge,
    now: around.now,
  };
  const { result: resultLife, pinnedKeys } = attestation;
  const verifier = new Verifier({ ...enrolling, resultLife, pinnedKeys });
  return {
    verifier,
    keyProofs: new KeyProofs(enrolling),
    makersEndingBy: (time) => files.current.endingBy(time),
    standings: new Standings((device) => verifier.posture(device), around.now),
    connectorStandings: new ConnectorStandings({
      posture: (one) => verifier.connectorPosture(one),
      onSilent: (one, device) => void tellSilent(one, device, verifier, around),
      now: around.now,
    }),
  };
}

/** A machine that stops to prove its state may hide what became of it. */
async function tellSilent(
  { name, address }: CarryingConnector,
  device: string,
  verifier: Verifier,
  { recorder, log }: { readonly recorder: Recorder; readonly log: Log },
): Promise<void> {
  const known = await verifier.find(device).catch(() => undefined);
  await recorder
    .record({
      kind: 'device-posture-failed',
      device: { id: device, name: known?.name },
      ...{ status: 'none', reasons: ['not-attested'], message: 'It has not proved its state lately.' },
      connector: { name },
      client: { address },
    })
    .catch((error: unknown) => log.error({ err: error }, 'a silent machine was not recorded'));
}

/** What a review of open exchanges knows anew of the machines at both ends. */
export function machinesOf({
  rulings,
  standings,
  connectorStandings,
}: {
  readonly rulings: Rulings;
  readonly standings: Standings;
  readonly connectorStandings: ConnectorStandings;
}): (exchange: OpenExchange) => Promise<Machines> {
  return async ({ session, input, carrier }) => {
    const { facts: device } = await standings.of(session, input.network.address);
    const found = device === undefined ? {} : { device };
    if (carrier?.key === undefined || !rulings.asksConnector(input.target.app)) return found;
    const { connector: name, key, address } = carrier;
    return { ...found, connector: await connectorStandings.of({ name, key, address }) };
  };
}

export function wireDevices(verifier: Verifier, parts: DevicesParts): Devices {
  const { config, origin, sites, store, sessions, recorder, strangers, now, review } = parts;
  const desk = new DeviceDesk({ verifier, recorder, strangers, review });
  const terminals = new Terminals(sessions, new Proofs(store, now));
  const app = devicesApp({ origin, desk, terminals, sessions, store });
  const ways = { origin, apps: config.apps, sessions, originOf: (host: string) => sites.originOf(host) };
  const browsers = browserApp({
    ...{ origin, desk, sessions, store, now },
    life: config.attestation.browser,
    destinationOf: (query) => destinationOf(ways, query('host'), query('path'), query('start')),
    onwards: (session, destination) => onwards(ways, session, destination),
  });
  app.route('/', browsers);
  const expectsEvidence = async ({ path, query }: CleanRequest): Promise<boolean> => {
    if (path !== DEVICE_PATHS.attest) return false;
    const challenge = new URLSearchParams(query).get('challenge') ?? '';
    return NONCE.test(challenge) && (await verifier.expects(Buffer.from(challenge, 'base64url')));
  };
  return { desk, terminals, app, expectsEvidence };
}
