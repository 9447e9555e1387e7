// The keys that TLS session tickets are sealed with: thrown away every hour, so that whoever learns one reads no older
// or newer connection (RFC 5077 section 5.5). Processes that share a listener make them from one seed, so that a person
// may come back to any of them.
import { hkdfSync, randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';

/** Milliseconds after which a seed is thrown away. */
export const TICKET_KEY_LIFE = 3_600_000;
/** AES key, HMAC key and name, as Node wants them. */
const KEY_BYTES = 48;

export function ticketSeed(): Buffer {
  return randomBytes(32);
}

export class TicketKeys {
  readonly #servers = new Map<Server, string>();
  #seed: Uint8Array;

  constructor(seed: Uint8Array = ticketSeed()) {
    this.#seed = seed;
  }

  /**
   * `server` seals with our keys until it closes. `listener` names it: what one listener sealed is nothing to another,
   * which may ask more of a client than the first did.
   */
  attend(server: Server, listener: string): void {
    this.#servers.set(server, listener);
    server.once('close', () => this.#servers.delete(server));
    this.#give(server, listener);
  }

  /** From now on tickets are sealed with keys of `seed`; older ones are good for nothing. */
  turn(seed: Uint8Array = ticketSeed()): void {
    this.#seed = seed;
    for (const [server, listener] of this.#servers) this.#give(server, listener);
  }

  /** Keys that turn by themselves until `undo` is done, for a process that shares its listeners with nobody. */
  static turning(undo: (() => unknown)[]): TicketKeys {
    const tickets = new TicketKeys();
    const timer = setInterval(() => tickets.turn(), TICKET_KEY_LIFE).unref();
    undo.push(() => clearInterval(timer));
    return tickets;
  }

  #give(server: Server, listener: string): void {
    server.setTicketKeys(
      Buffer.from(hkdfSync('sha256', this.#seed, '', `sallyport tickets ${listener}`, KEY_BYTES)),
    );
  }
}
