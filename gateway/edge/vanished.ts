// Closes people's connections whose other end is gone without a word. Idle ones are found by TCP's own probes; those on
// which bytes wait for an acknowledgement are not, and would live for a quarter of an hour (RFC 9293 section 3.8.3), so
// the kernel's own count of what it sent in vain is read. Somebody who merely does not read is never closed.
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { endianness } from 'node:os';

/** Milliseconds without a byte until the first probe, between two of them, and how many may stay without answer. */
const PROBE_AFTER = 10_000;
const PROBE_EVERY = 3_000;
const PROBES = 3;
/** Milliseconds between two looks at what was sent in vain, and for how long that may go on: 25 s together at most. */
const LOOK = 5_000;
const PATIENCE = 15_000;

/** Linux: one line for each connection of this network namespace, addresses in the machine's byte order. */
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'] as const;
const ROW =
  /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) .{2} .{8}:.{8} .{2}:.{8} ([0-9A-F]{8}) +\d+ +(\d+)/gm;

/** Asks the other end whether it is still there, for as long as nothing else is said. */
function probe(socket: Socket): void {
  socket.setKeepAlive(true, PROBE_AFTER, PROBE_EVERY, PROBES);
}

interface Stall {
  readonly since: number;
  readonly tries: number;
}

export interface VanishedParts {
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** All connections there are. */
  readonly sockets: () => Iterable<Socket>;
  /** The kernel's tables of connections; '' where there are none. */
  readonly tables?: () => Promise<string>;
}

export class Vanished {
  readonly #clock: () => number;
  readonly #tables: () => Promise<string>;
  readonly #sockets: () => Iterable<Socket>;
  #stalls = new Map<string, Stall>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ clock, sockets, tables = kernelTables }: VanishedParts) {
    this.#clock = clock;
    this.#sockets = sockets;
    this.#tables = tables;
  }

  /** Watches over all connections of `server` until it closes. */
  attend(server: Server): void {
    server.on('connection', probe);
    this.#timer = setInterval(() => void this.look(), LOOK).unref();
    server.once('close', () => clearInterval(this.#timer));
  }

  /** Closes what has been sending in vain for too long. */
  async look(): Promise<void> {
    const [any] = this.#sockets();
    if (any === undefined) return;
    const tries = triesOf(await this.#tables());
    const ports = new Set([...tries.keys()].map(portOf));
    const now = this.#clock();
    const stalls = new Map<string, Stall>();
    for (const socket of this.#sockets()) {
      // Few have anything to be sent again: for all others no name is built.
      if (!ports.has(socket.remotePort ?? 0)) continue;
      const key = keyOf(socket);
      const count = tries.get(key);
      if (count === undefined) continue;
      const before = this.#stalls.get(key);
      const since = before !== undefined && count >= before.tries ? before.since : now;
      if (now - since >= PATIENCE) socket.destroy(new Error('the other end is gone'));
      else stalls.set(key, { since, tries: count });
    }
    this.#stalls = stalls;
  }
}

/** Connections with something that was sent in vain, as `keyOf` names them, and how often it was. */
function triesOf(table: string): Map<string, number> {
  const tries = new Map<string, number>();
  for (const [, local = '', address = '', remote = '', again = '0', probes = '0'] of table.matchAll(ROW)) {
    // Retransmissions, or probes of a window that was closed: both start at zero with every acknowledgement.
    const count = Number.parseInt(again, 16) + Number(probes);
    if (count > 0) tries.set(`${local} ${address} ${remote}`, count);
  }
  return tries;
}

function portOf(key: string): number {
  return Number.parseInt(key.slice(key.lastIndexOf(' ') + 1), 16);
}

async function kernelTables(): Promise<string> {
  const texts = await Promise.all(TABLES.map((file) => readFile(file, 'latin1').catch(() => '')));
  return texts.join('');
}

/** A connection as the kernel's table names it: local port, remote address, remote port. */
export function keyOf({ localPort, remoteAddress = '', remotePort }: Socket): string {
  return `${hexOf(localPort)} ${bytesOf(remoteAddress)} ${hexOf(remotePort)}`;
}

function hexOf(port = 0): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

function bytesOf(address: string): string {
  const bytes = address.includes(':') ? sixteen(address) : four(address);
  // Words of four bytes, each as a number of this machine.
  const words = Buffer.from(bytes);
  if (endianness() === 'LE' && words.length % 4 === 0) words.swap32();
  return words.toString('hex').toUpperCase();
}

function four(address: string): number[] {
  return address.split('.').map(Number);
}

/** An IPv6 address as the kernel prints it, perhaps with an IPv4 one at its end. */
function sixteen(address: string): number[] {
  const [plain = ''] = address.split('%');
  const [head = '', tail = ''] = plain.split('::').map((half) => half);
  const bytes = (half: string): number[] =>
    half === ''
      ? []
      : half.split(':').flatMap((group) => {
          if (group.includes('.')) return four(group);
          const value = Number.parseInt(group, 16);
          return [value >> 8, value & 255];
        });
  const [first, last] = [bytes(head), bytes(tail)];
  return [...first, ...Array<number>(Math.max(0, 16 - first.length - last.length)).fill(0), ...last];
}
