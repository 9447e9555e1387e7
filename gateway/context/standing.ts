// What is known of the device behind a door, as facts for policy, and why it is not more: in words a person can act
// on. Whatever cannot be found out is unknown, which meets no allow.

import type { Appraisal } from '#gateway/attest/appraisal';
import { networkOf } from '#gateway/edge/address';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Device } from '#policy/input';
import { Recent } from './recent.ts';

/** Why less is known of a device than a rule may ask. */
export interface StandingReason {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** Binding the browser (again) mends it. */
  readonly bind?: boolean;
}

export interface Standing {
  readonly facts?: Device;
  readonly reasons: readonly StandingReason[];
}

const START = 'Start it there with `sallyport device agent`, or run `sallyport device attest`.';

const UNBOUND: StandingReason = {
  code: 'not-bound',
  message: 'It is not known which device this is.',
  remedy:
    'Show which device this is: a browser by the button below while `sallyport device agent` runs, a terminal by `sallyport device attest`.',
  bind: true,
};
const RUN_OUT: StandingReason = {
  code: 'bond-expired',
  message: 'It is a while since this browser showed which device it is on.',
  remedy: 'Show it again.',
  bind: true,
};
const MOVED: StandingReason = {
  code: 'other-network',
  message: 'This browser has come to another network since it showed which device it is on.',
  remedy: 'Show it again from here.',
  bind: true,
};
const SILENT: StandingReason = {
  code: 'not-attested',
  message: 'The device has not proved its state lately, or may not any more.',
  remedy: START,
};
const OTHER_KEY: StandingReason = {
  code: 'other-key',
  message: 'The device has other keys now than when it was shown.',
  remedy: 'Show which device this is again.',
  bind: true,
};

const REBOOTED: StandingReason = {
  code: 'rebooted',
  message: 'The device was restarted, or was suspended, since you signed in.',
  remedy: 'Sign out and in again, if the app asks for it.',
};

export class Standings {
  readonly #posture: (device: string) => Promise<Appraisal | undefined>;
  readonly #now: () => number;
  readonly #recent: Recent<Appraisal | undefined>;

  /** `posture`: the attestation result that counts now, if there is one. `clock`: monotonic milliseconds. */
  constructor(
    posture: (device: string) => Promise<Appraisal | undefined>,
    now: () => number,
    clock: () => number = () => performance.now(),
  ) {
    this.#posture = posture;
    this.#now = now;
    this.#recent = new Recent(clock);
  }

  /** A device attested, or an admin changed one: the next question is asked of the store. */
  changed(): void {
    this.#recent.clear();
  }

  /** `address`: the client's, in canonical form. */
  async of({ bond }: LiveSession, address: string): Promise<Standing> {
    if (bond === undefined) return { reasons: [UNBOUND] };
    const unknown = (reason: StandingReason): Standing => ({ facts: { id: bond.device }, reasons: [reason] });
    if (bond.until <= this.#now()) return unknown(RUN_OUT);
    if (bond.network !== undefined && bond.network !== networkOf(address)) return unknown(MOVED);
    const posture = await this.#recent.get(bond.device, () => this.#posture(bond.device));
    if (posture === undefined || posture.expiresAt <= this.#now()) return unknown(SILENT);
    if (posture.keyThumbprint !== bond.key) return unknown(OTHER_KEY);
    if (posture.boot === bond.boot) return { facts: posture.facts, reasons: posture.reasons };
    return { facts: { ...posture.facts, sameBoot: false }, reasons: [...posture.reasons, REBOOTED] };
  }
}
