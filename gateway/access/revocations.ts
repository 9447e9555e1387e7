// Who and what may no longer be let in, at hand without asking the store. A view that has not been brought up to date
// for as long as a lease says nothing of anybody, so that nobody is let in.
import { LEASE } from '#gateway/identity/leases';
import type { LiveSession } from '#gateway/identity/live-session';
import { StateError } from '#gateway/state/error';
import type { Revocation, Store } from '#gateway/state/store';
import type { AccessRequest } from '#policy/input';

/** What can be revoked. People and services are named by their subject's id. */
export const REVOCABLE = ['session', 'person', 'device', 'service', 'connector'] as const;

export interface RevocationTarget {
  readonly kind: (typeof REVOCABLE)[number];
  readonly id: string;
}

/** How often the store is read again, in milliseconds, lest a message got lost. */
const REFRESH_INTERVAL = 5_000;
const CHANNEL = 'revoked';

export class Revocations {
  readonly #store: Store;
  readonly #now: () => number;
  #known = new Map<string, Revocation>();
  #readAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** From now on it knows what other gateways revoke. `heard` is told of each, and of nothing in particular after a gap. */
  async listen(heard: (target: RevocationTarget | undefined) => void): Promise<void> {
    await this.#store.subscribe(
      CHANNEL,
      (message) => {
        const { target, revocation } = JSON.parse(message) as Notice;
        if (revocation !== undefined) this.#known.set(keyOf(target), revocation);
        heard(target);
      },
      () =>
        void this.refresh().then(
          () => heard(undefined),
          () => undefined,
        ),
    );
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh().catch(() => undefined), REFRESH_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the store anew. What was heard of meanwhile stays. */
  async refresh(): Promise<void> {
    const before = new Map(this.#known);
    const asked = Math.min(performance.now(), this.#store.confirmedAt());
    const read = new Map((await this.#store.list('revocation')).map(([key, value]) => [key, value] as const));
    for (const [key, revocation] of this.#known) {
      // Also one that took the place of an older one: the look may have begun before it.
      const isNews = before.get(key) !== revocation;
      if (isNews && !((read.get(key)?.at ?? 0) > revocation.at)) read.set(key, revocation);
    }
    this.#known = read;
    this.#readAt = asked;
  }

  /** Revokes for good, here and at every gateway that can be told; `expiresAt` as of a record in the store. */
  async add(
    target: RevocationTarget,
    by: string,
    reason: string | undefined,
    expiresAt?: number,
  ): Promise<void> {
    const revocation = { at: this.#now(), by, ...(reason === undefined ? {} : { reason }) };
    await this.#store.put('revocation', keyOf(target), revocation, expiresAt);
    this.#known.set(keyOf(target), revocation);
    await this.tell(target, revocation);
  }

  /** Tells other gateways; one that does not hear finds it in the store. */
  async tell(target: RevocationTarget, revocation?: Revocation): Promise<void> {
    await this.#store.publish(CHANNEL, JSON.stringify({ target, revocation })).catch(() => undefined);
  }

  /** True for a session that began before its person was revoked. */
  coversSession({ subject, createdAt }: LiveSession): boolean {
    return this.#covers(subject.kind === 'service' ? 'service' : 'person', subject.id, createdAt);
  }

  /** True for a request in the name of, or from, anything that was revoked. @throws {StateError} while that is not known. */
  covers(session: LiveSession, { device, connector }: AccessRequest): boolean {
    if (performance.now() - this.#readAt > LEASE + REFRESH_INTERVAL) {
      throw new StateError('state-unreachable', 'what was revoked could not be read for too long');
    }
    if (this.#known.size === 0) return false;
    return (
      this.coversSession(session) || this.coversDevice(device?.id) || this.coversDevice(connector?.device)
    );
  }

  coversDevice(id: string | undefined): boolean {
    return id !== undefined && this.#covers('device', id, Number.NEGATIVE_INFINITY);
  }

  #covers(kind: RevocationTarget['kind'], id: string, since: number): boolean {
    const revocation = this.#known.get(keyOf({ kind, id }));
    return revocation !== undefined && since <= revocation.at;
  }
}

interface Notice {
  readonly target: RevocationTarget;
  readonly revocation?: Revocation;
}

function keyOf({ kind, id }: RevocationTarget): string {
  return `${kind}:${id}`;
}
