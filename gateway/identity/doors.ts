// The doors of sessions: one secret for one host, tied to a device where one was proved. A door that changed is let go
// of on every gateway at once, or a token bound just now would still pass as a mere bearer somewhere.
import type { DeviceBond, Door, Store } from '#gateway/state/store';
import { hashSecret, newSecret } from './cookies.ts';
import type { Leases } from './leases.ts';
import type { LiveSession } from './live-session.ts';

/** The channel on which gateways tell each other of doors that changed. */
const CHANGED = 'door-changed';

export class Doors {
  readonly #store: Store;
  readonly #leases: Leases;

  constructor(store: Store, leases: Leases) {
    this.#store = store;
    this.#leases = leases;
  }

  /** A new secret that opens `session` on `host`, with the bond it carries. */
  async open(session: LiveSession, host: string): Promise<string> {
    const secret = newSecret();
    const door = { session: session.id, host, ...(session.bond === undefined ? {} : { bond: session.bond }) };
    await this.#store.put('door', hashSecret(secret), door, session.expiresAt);
    return secret;
  }

  /** What a secret opens on `host`; undefined for nothing. */
  async find(secret: string, host: string): Promise<Door | undefined> {
    const hash = hashSecret(secret);
    let door = this.#leases.door(hash);
    if (door === undefined) {
      const asked = this.#leases.asking();
      door = await this.#store.get('door', hash);
      if (door !== undefined) this.#leases.keepDoor(hash, door, asked);
    }
    return door?.host === host ? door : undefined;
  }

  /**
   * Ties the door that a secret opens on `host` to a device. False if it opens nothing any more, or is tied to another:
   * whoever holds a copy of the secret may come at the same time.
   */
  async bind(secret: string, host: string, session: LiveSession, bond: DeviceBond): Promise<boolean> {
    const hash = hashSecret(secret);
    const done = await this.#store.update('door', hash, (current) => {
      const free = current !== undefined && (current.bond?.device ?? bond.device) === bond.device;
      return free ? { value: { session: session.id, host, bond }, expiresAt: session.expiresAt } : undefined;
    });
    await this.#changed(hash);
    return done;
  }

  /** A cookie that was replaced by a new one opens nothing any more. */
  async close(cookie: string | undefined): Promise<void> {
    if (cookie === undefined) return;
    const hash = hashSecret(cookie);
    await this.#store.remove('door', hash);
    await this.#changed(hash);
  }

  /** Hears of doors that change at other gateways. */
  async listen(missed: () => void): Promise<void> {
    await this.#store.subscribe(CHANGED, (hash) => this.#leases.endDoor(hash), missed);
  }

  async #changed(hash: string): Promise<void> {
    this.#leases.endDoor(hash);
    // A gateway that does not hear of it finds out when its lease ends.
    await this.#store.publish(CHANGED, hash).catch(() => undefined);
  }
}
