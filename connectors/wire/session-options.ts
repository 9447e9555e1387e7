// What a session is given and whom it tells: the seam between the protocol and the two ends that use it.
import type { GoawayCode } from './error.ts';
import type { Greeting, PeerGreeting } from './handshake.ts';
import type { Limits } from './limits.ts';
import type { OpenRequest } from './open.ts';
import type { Budget, Stream, StreamHandler } from './stream.ts';
import type { Transport } from './transport.ts';

export interface SessionOptions {
  readonly transport: Transport;
  readonly limits: Limits;
  readonly budget: Budget;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** Calls `step` once, when all that is due in this turn of the event loop has been done; `setImmediate` if left out. */
  readonly endOfTurn?: (step: () => void) => void;
  /** A connector's hello is sent at once; a gateway's welcome answers one. */
  readonly greeting: Greeting;
  /** The handshake is done. */
  onReady(peer: PeerGreeting): void;
  /** The peer opens a stream: give it a handler now. Left out where none are taken. */
  onOpen?(stream: Stream, request: OpenRequest, fin: boolean): StreamHandler;
  /** The peer wants no new streams here. It has been answered. */
  onGoaway(code: GoawayCode, detail: string): void;
  /** Stream ids run out: said each second until the tunnel is replaced. */
  onWorn?(): void;
  /** The end, exactly once; every stream has had its `onReset('lost')` before, and `lost` is how many those were. */
  onClose(code: GoawayCode, why: string, lost: number): void;
}
