// What was decided of one party of a request and is recorded, with all that is needed to go on.
import type { StandingReason } from '#gateway/context/standing';
import type { LiveSession } from '#gateway/identity/live-session';
import type { AccessRequest } from '#policy/input';
import type { Ruling } from './ruling.ts';

export interface Ruled {
  readonly session: LiveSession;
  readonly input: AccessRequest;
  readonly ruling: Ruling;
  /** Keys of the connectors the ruling is about; undefined where any may carry the request. */
  readonly only?: ReadonlySet<string> | undefined;
  /** The decision's id. */
  readonly id: string;
  readonly allowed: boolean;
  /** Why no more is known of the device. */
  readonly reasons: readonly StandingReason[];
}
