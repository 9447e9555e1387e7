// Ends a connection so that nobody takes it for one that was over: with TCP's own word for it. TLS has none that Node
// sends; it says goodbye in order even when its socket is destroyed.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export function breakOff(socket: Duplex & { readonly _parent?: unknown }): void {
  const raw = socket._parent ?? socket;
  if (raw instanceof Socket && !raw.destroyed) raw.resetAndDestroy();
  socket.destroy();
}
