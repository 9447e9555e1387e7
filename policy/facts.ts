// What one decision may look at, in the form criteria read quickly. One instance serves all decisions of a
// policy in turn, so that deciding allocates nothing; it must never carry a derived value into the next one.
import type { AccessRequest, Posture } from './input.ts';
import { Address } from './net/address.ts';
import { foldPath, isCanonicalPath } from './net/path.ts';

/** Clocks may differ by this much; a time further in the future is not a time anything happened at. */
const CLOCK_SKEW: number = 60_000;
/** End of the year 9999: what lies beyond is no time a clock ever showed. */
const LAST_INSTANT: number = Date.UTC(10_000, 0, 1) - 1;

/** Whether a number is epoch milliseconds that a decision can be made at. */
export function isInstant(at: number): boolean {
  return at >= 0 && at <= LAST_INSTANT;
}

/** How long ago something happened, in milliseconds; NaN when that is unknown or in the future. */
export function age(at: number, then: number | undefined): number {
  if (then === undefined) return Number.NaN;
  const elapsed = at - then;
  return elapsed >= -CLOCK_SKEW ? Math.max(0, elapsed) : Number.NaN;
}

/** Bits of the posture claims, as `postureKnown` and `postureTrue` use them. */
export const POSTURE: {
  readonly attested: number;
  readonly secureBoot: number;
  readonly baseline: number;
  readonly sameBoot: number;
  readonly hardwareKey: number;
} = { attested: 1, secureBoot: 2, baseline: 4, sameBoot: 8, hardwareKey: 16 };

/** Bits of `POSTURE` whose claims are present. */
export function postureKnown(machine: Posture | undefined): number {
  if (machine === undefined) return 0;
  return (
    (machine.attested === undefined ? 0 : POSTURE.attested) |
    (machine.secureBoot === undefined ? 0 : POSTURE.secureBoot) |
    (machine.baseline === undefined ? 0 : POSTURE.baseline) |
    (machine.sameBoot === undefined ? 0 : POSTURE.sameBoot) |
    (machine.hardwareKey === undefined ? 0 : POSTURE.hardwareKey)
  );
}

/** Bits of `POSTURE` whose claims are true. */
export function postureTrue(machine: Posture | undefined): number {
  if (machine === undefined) return 0;
  return (
    (machine.attested === true ? POSTURE.attested : 0) |
    (machine.secureBoot === true ? POSTURE.secureBoot : 0) |
    (machine.baseline === true ? POSTURE.baseline : 0) |
    (machine.sameBoot === true ? POSTURE.sameBoot : 0) |
    (machine.hardwareKey === true ? POSTURE.hardwareKey : 0)
  );
}

export class Facts {
  request: AccessRequest;
  /** One bit per subject selector of the policy that this subject satisfies. */
  selectors: Uint32Array;
  /** Epoch milliseconds, or NaN when the recorded time is no time. */
  at: number = Number.NaN;
  readonly #address: Address = new Address();
  #addressText = '';
  #path: string | undefined = undefined;
  #pathCanonical = false;
  #pathFolded = '';

  constructor(request: AccessRequest, selectors: Uint32Array) {
    this.request = request;
    this.selectors = selectors;
    this.load(request, selectors);
  }

  /** Makes this the facts of another request. */
  load(request: AccessRequest, selectors: Uint32Array): void {
    this.request = request;
    this.selectors = selectors;
    const { at } = request;
    this.at = isInstant(at) ? at : Number.NaN;
  }

  /** The client's address; `family` 0 when the text is none. Parsed again only when the text differs. */
  address(): Address {
    const text = this.request.network.address;
    if (text !== this.#addressText) {
      this.#address.parse(text);
      this.#addressText = text;
    }
    return this.#address;
  }

  /** The path exactly as it will be forwarded, or undefined unless it is in canonical form. */
  canonicalPath(): string | undefined {
    this.#loadPath();
    return this.#pathCanonical ? this.#path : undefined;
  }

  /** The path as a lenient application might read it: case, encoding and path parameters taken away. */
  foldedPath(): string {
    this.#loadPath();
    return this.#pathFolded;
  }

  #loadPath(): void {
    const path = this.request.target.path;
    if (path === this.#path) return;
    this.#path = path;
    this.#pathCanonical = path !== undefined && isCanonicalPath(path);
    this.#pathFolded = path === undefined || !this.#pathCanonical ? '' : foldPath(path);
  }
}
