// A session in use, with what was proved where it came in.
import type { DeviceBond, Session } from '#gateway/state/store';

export interface LiveSession extends Session {
  /** The session's handle: safe to log. */
  readonly id: string;
  /** The device that the door in use is tied to. */
  readonly bond?: DeviceBond;
  /** Of a service: whether its proof still holds, as known at this moment, where whoever vouched can be asked again. */
  readonly stands?: () => boolean;
}
