// A session in use, with what was proved where it came in.
import type { DeviceBond, Session } from '#gateway/state/store';

export interface LiveSession extends Session {
  /** The session's handle: safe to log. */
  readonly id: string;
  /** The device that the door in use is tied to. */
  readonly bond?: DeviceBond;
  /** Of a service: whether its proof would still be taken, apart from when it ends. */
  readonly stands?: () => boolean | Promise<boolean>;
}
