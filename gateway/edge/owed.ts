// The response that a connection waits for. Only Node knows it, and whoever writes to a connection that owes one would be
// taken for it.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** To the request before what comes now, until its last byte was written; undefined where all were answered. */
export function owed(
  socket: Duplex & { readonly _httpMessage?: ServerResponse | null },
): ServerResponse | undefined {
  return socket._httpMessage ?? undefined;
}
