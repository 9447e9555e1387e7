// Gateways find each other in the state they share, and each dials every other one, offering the apps it has tunnels
// for. Which gateway a person comes to, and which one a connector dialled, then makes no difference.
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Identity } from '#connectors/link/identity';
import type { Authority } from '#gateway/pki/issued';
import type { Presence, Store } from '#gateway/state/store';
import type { Offer } from '#gateway/tunnel/relay';
import type { Tunnel } from '#gateway/tunnel/tunnel';
import type { Log } from '#siem/log';
import { RelayLink } from './link.ts';

/** How often a gateway says that it is there and looks for others, and for how long that is believed; milliseconds. */
const INTERVAL = 2_000;
const BELIEVED = 10_000;
/** After which one that says nothing more is struck from the state, milliseconds. Clocks may be a minute apart. */
const LIFE = 70_000;
/** Life of the certificate with which another gateway is dialled, in milliseconds; made anew for each dial, and each link ends with its own. */
const CERTIFICATE_LIFE = 24 * 3_600_000;

export interface PeersOptions {
  readonly store: Store;
  readonly authority: Authority;
  readonly trustDomain: string;
  readonly name: string;
  /** Where others reach this gateway's listener for connectors: an https origin. */
  readonly address: string;
  readonly log: Log;
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly clock?: () => number;
  /** Of a worker: whether that name is of another one of its gateway, which stops with it. */
  readonly sibling?: ((name: string) => boolean) | undefined;
  /** What this gateway has a tunnel of its own for. */
  offers(): readonly Offer[];
  choose(offer: Offer): Tunnel | undefined;
}

/** The last word of another gateway, and when it was new here. */
interface Said {
  readonly at: number | undefined;
  readonly since: number;
  /** It was not the first one that was heard here. */
  readonly again: boolean;
}

export class Peers {
  readonly #options: PeersOptions;
  readonly #instance = randomUUID();
  readonly #links = new Map<string, RelayLink>();
  readonly #dialling = new Set<string>();
  /** What each other gateway said last, and when that was new here: its own clock may be another. */
  readonly #said = new Map<string, Said>();
  /** Where another gateway is that has the name of this one. */
  #namesake: string | undefined;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), INTERVAL).unref();
  }

  /** Says that this gateway is there, and links up with those that are. */
  async look(): Promise<void> {
    const { store, name, address, log, now } = this.#options;
    if (this.#stopped) return;
    try {
      await store.put('presence', this.#instance, { name, address, at: now() }, now() + LIFE);
      const listed = await store.list('presence');
      for (const one of this.#said.keys())
        if (!listed.some(([instance]) => instance === one)) this.#said.delete(one);
      const others = listed.filter((one) => this.#believed(one));
      this.#compare(others);
      const there = new Set(others.map(([instance]) => instance));
      for (const [instance, link] of this.#links) if (!there.has(instance)) link.goAway();
      const offers = this.#options.offers().toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
      await Promise.all(others.map(([instance, presence]) => this.#keep(instance, presence, offers)));
    } catch (error) {
      log.warn({ err: error }, 'other gateways cannot be looked for at this moment');
    }
  }

  /**
   * Sends the others elsewhere, and lets what they have under way here finish. Those who stop with it have nowhere else to
   * go, and say themselves when they need no more.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const { sibling } = this.#options;
    for (const link of this.#links.values()) if (sibling?.(link.gateway) !== true) link.goAway();
    await this.#options.store.remove('presence', this.#instance).catch(() => undefined);
  }

  /** What whoever runs the gateway should look after, in words. */
  get warnings(): readonly string[] {
    if (this.#namesake === undefined) return [];
    const { name } = this.#options;
    return [
      `the gateway at ${this.#namesake} has the name of this one, ${name}: nobody can tell whose record has a gap, or which of them fell silent. Give each a name of its own`,
    ];
  }

  end(): void {
    for (const link of this.#links.values()) link.end();
  }

  #believed([instance, { at }]: readonly [instance: string, presence: Presence, ...unknown[]]): boolean {
    if (instance === this.#instance) return false;
    const clock = (this.#options.clock ?? (() => performance.now()))();
    const before = this.#said.get(instance);
    // An earlier version never says when: its record ends by itself.
    const since = before === undefined || at === undefined || before.at !== at ? clock : before.since;
    const again = before?.again === true || (before !== undefined && before.at !== at);
    this.#said.set(instance, { at, since, again });
    return clock - since < BELIEVED;
  }

  /** One that was killed has said its name for the last time: only who says it again is somebody else. */
  #compare(others: readonly (readonly [instance: string, presence: Presence, ...unknown[]])[]): void {
    const { name, log } = this.#options;
    const same = others.find(
      ([instance, one]) => one.name === name && this.#said.get(instance)?.again === true,
    );
    const before = this.#namesake;
    this.#namesake = same?.[1].address;
    if (before === undefined) for (const warning of this.warnings) log.warn({}, warning);
  }

  /** A link that offers what is there now, and whose certificate lasts; a new one takes over before the old one goes. */
  async #keep(instance: string, { name, address }: Presence, offers: readonly Offer[]): Promise<void> {
    const { log, choose, now } = this.#options;
    const before = this.#links.get(instance);
    const lasts = before !== undefined && now() < before.renewAt;
    if (before === undefined ? offers.length === 0 : lasts && isDeepStrictEqual(before.offers, offers))
      return;
    if (this.#dialling.has(instance) || this.#stopped) return;
    this.#dialling.add(instance);
    try {
      await RelayLink.open({
        ...{ gateway: name, address: new URL(address), identity: await this.#identity(), offers, choose },
        instance: this.#instance,
        onReady: (link) => {
          // Not before it was welcome: meanwhile nothing would lead here.
          const replaced = this.#links.get(instance);
          this.#links.set(instance, link);
          replaced?.goAway();
          const apps = new Set(offers.map(({ app }) => app)).size;
          log.info({ gateway: name, apps }, 'linked to another gateway');
        },
        onClose: (link, why) => {
          log.info({ gateway: name, why }, 'the link to another gateway ended');
          if (this.#links.get(instance) === link) this.#links.delete(instance);
        },
      });
    } catch (error) {
      log.warn({ err: error, gateway: name }, 'another gateway cannot be reached');
    } finally {
      this.#dialling.delete(instance);
    }
  }

  async #identity(): Promise<Identity> {
    const { authority, trustDomain, name, now } = this.#options;
    const issued = await authority.issuePeer(gatewayUri(trustDomain, name), CERTIFICATE_LIFE);
    const { certificate, key, notAfter } = issued;
    return { certificate, key, ca: authority.bundle, notBefore: now(), notAfter };
  }
}

function nameOf({ app, by }: Offer): string {
  return by === undefined ? app : `${app} ${by.connector} ${by.instance}`;
}

function gatewayUri(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/gateway/${name}`;
}

/** The gateway named by a certificate's subjectAltName as Node prints it, or undefined for anything else. */
export function gatewayOf(subjectAltName: string | undefined, trustDomain: string): string | undefined {
  const prefix = `URI:${gatewayUri(trustDomain, '')}`;
  if (!subjectAltName?.startsWith(prefix)) return undefined;
  const name = subjectAltName.slice(prefix.length);
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? name : undefined;
}
