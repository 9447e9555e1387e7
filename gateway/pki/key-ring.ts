// The keys that assertions are signed with, for all gateways of an installation: the next one is published long before
// it signs, and the last ones stay published until nobody can hold a token of theirs any more.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { SigningKey, Store } from '#gateway/state/store';
import type { Log } from '#siem/log';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How often a gateway looks whether another one added a key, or it is time to, in milliseconds. */
const LOOK_INTERVAL = HOUR;
/** A key is published for at least a day at every gateway before it signs: back ends keep key sets for hours. */
export const PUBLISHED_AHEAD: number = DAY + 2 * LOOK_INTERVAL;
/** A key that signs no longer stays published for this long. */
export const KEPT_AFTER: number = 7 * DAY;
const RING = 'assertion';

export interface KeyRingOptions {
  /** For how long one key signs, in milliseconds. */
  readonly rotate: number;
  readonly now: () => number;
  readonly log: Log;
}

export interface Signing {
  readonly kid: string;
  readonly key: KeyObject;
}

/** A public key as RFC 7517 has it. */
type PublishedKey = Readonly<Record<string, string | undefined>>;

interface Opened {
  readonly key: KeyObject;
  readonly public: KeyObject;
  readonly published: PublishedKey;
}

export class KeyRing {
  readonly #store: Store;
  readonly #options: KeyRingOptions;
  readonly #opened = new Map<string, Opened>();
  #keys: readonly SigningKey[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(store: Store, options: KeyRingOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Reads the installation's keys, making them if it has none. Throws what the store throws. */
  static async open(store: Store, options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(store, options);
    await ring.turn();
    return ring;
  }

  /** From now on it turns by itself. */
  start(): void {
    const { log } = this.#options;
    const turn = (): void => {
      this.turn().catch((error: unknown) =>
        log.error({ err: error }, 'the signing keys could not be turned'),
      );
    };
    this.#timer = setInterval(turn, LOOK_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Publishes the next key when it is time, drops those nobody needs, and takes over what other gateways did. */
  async turn(): Promise<void> {
    const { rotate, now } = this.#options;
    let keys: readonly SigningKey[] = [];
    await this.#store.update('keyRing', RING, (current) => {
      const known = current?.keys ?? [];
      keys = turned(known, now(), rotate);
      const same = keys.length === known.length && keys.at(-1)?.kid === known.at(-1)?.kid;
      return same ? undefined : { value: { keys } };
    });
    this.#keys = keys;
  }

  /** The key that signs now. */
  get signing(): Signing {
    const now = this.#options.now();
    const signing = this.#keys.findLast(({ signsFrom }) => signsFrom <= now) ?? this.#keys[0];
    // `turned` answers at least two keys.
    if (signing === undefined) throw new Error('the ring has no key');
    return { kid: signing.kid, key: this.#open(signing).key };
  }

  /** What back ends verify with (RFC 7517). */
  get jwks(): { readonly keys: readonly PublishedKey[] } {
    return { keys: this.#keys.map((key) => this.#open(key).published) };
  }

  /** The public key that a token names, while it is published. */
  published(kid: string): KeyObject | undefined {
    const key = this.#keys.find((one) => one.kid === kid);
    return key === undefined ? undefined : this.#open(key).public;
  }

  #open(key: SigningKey): Opened {
    const known = this.#opened.get(key.kid);
    if (known !== undefined) return known;
    const opened = {
      key: createPrivateKey(key.privateKey),
      public: createPublicKey(key.privateKey),
      published: publishedOf(key.privateKey),
    };
    this.#opened.set(key.kid, opened);
    return opened;
  }
}

/** The ring as it has to be at `now`: pure but for the keys it makes. Oldest first. */
export function turned(keys: readonly SigningKey[], now: number, rotate: number): readonly SigningKey[] {
  const needed = keys.filter((_, index) => {
    const successor = keys[index + 1];
    return successor === undefined || now < successor.signsFrom + KEPT_AFTER;
  });
  const newest = needed.at(-1);
  if (newest === undefined) return turned([newKey(now)], now, rotate);
  if (newest.signsFrom > now) return needed;
  return [...needed, newKey(Math.max(now + PUBLISHED_AHEAD, newest.signsFrom + rotate))];
}

function newKey(signsFrom: number): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { kid: String(publishedOf(pem)['kid']), privateKey: pem, signsFrom };
}

function publishedOf(privateKey: string): PublishedKey {
  const { x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  // RFC 7638: the thumbprint is over the required members in lexical order.
  const members = JSON.stringify({ crv: 'P-256', kty: 'EC', x, y });
  const kid = createHash('sha256').update(members).digest('base64url');
  return { kty: 'EC', crv: 'P-256', x, y, use: 'sig', alg: 'ES256', kid };
}
