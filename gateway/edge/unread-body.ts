// Ends a connection behind its last answer when the rest of the request is read, too: the kernel resets one that is closed
// on bytes nobody read, and whoever is still sending may never see the answer (RFC 9112 section 9.6).
import type { IncomingMessage } from 'node:http';
import { LINGER } from './limits.ts';
import { hasBody } from './request-body.ts';

/**
 * To be called with each request before it is answered. `onLast`: its answer was the connection's last one, and the body goes
 * on; for at most LINGER.
 */
export function readOn(request: IncomingMessage, onLast: () => void): void {
  if (!hasBody(request)) return;
  const { socket } = request;
  // By this Node's server closes a connection behind its last answer.
  const close = (): void => {
    forget();
    if (request.complete || socket.destroyed) {
      socket.destroySoon();
      return;
    }
    onLast();
    const cut = setTimeout(() => socket.destroySoon(), LINGER).unref();
    socket.once('close', () => clearTimeout(cut));
    request.once('end', () => socket.destroySoon());
    request.resume();
  };
  const forget = (): void => {
    if (socket.destroySoon === close) Reflect.deleteProperty(socket, 'destroySoon');
  };
  socket.destroySoon = close;
  request.once('end', forget);
}
