// The connections of a listener, counted by address. When there are too many, the one that has waited longest without
// a request gives way to the newcomer: slow strangers push each other out, and nobody who asks for something. And nobody
// waits for ever, or has more under way on one connection than is answered.
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import { canonicalAddress, networkOf } from './address.ts';
import { CHECK_INTERVAL, type ConnectionLimits, PIPELINED, WAIT } from './limits.ts';
import { hasBody } from './request-body.ts';

interface Guest {
  readonly group: Group;
  /** The raw socket until TLS is up. */
  socket: Socket;
  /** What its TLS socket will be known by; undefined once that is there. */
  port: string | undefined;
  /** Requests under way. */
  asked: number;
  /** Of these, those whose body is waited for: a connection has one at most. */
  coming: number;
  /** When it began to wait. */
  since: number;
  gone: boolean;
}

/** The connections of one address. Sets keep the order in which their members came: the first waits longest. */
interface Group {
  readonly name: string;
  count: number;
  readonly waiting: Set<Guest>;
}

export class Crowd {
  readonly #limits: ConnectionLimits;
  readonly #clock: () => number;
  readonly #groups = new Map<string, Group>();
  readonly #waiting = new Set<Guest>();
  readonly #busy = new Set<Guest>();
  /** Those in their TLS handshake. */
  readonly #byPort = new Map<string, Guest>();
  readonly #bySocket = new WeakMap<object, Guest>();
  /** Requests whose body is waited for, and whose they are. */
  readonly #coming = new WeakMap<IncomingMessage, Guest>();
  #count = 0;
  /** Connections closed or refused because there were too many. */
  shed = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(limits: ConnectionLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#count;
  }

  /** All connections there are. */
  *sockets(): Iterable<Socket> {
    for (const { socket } of this.#waiting) yield socket;
    for (const { socket } of this.#busy) yield socket;
  }

  /** Watches over all connections of `server` until it closes. */
  attend(server: Server): void {
    const closed = (socket: object): void => {
      const guest = this.#bySocket.get(socket);
      if (guest !== undefined) this.#leave(guest);
    };
    // One function for all: a listener with its own closure is 300 bytes of an idle connection.
    const onClose = function (this: object): void {
      closed(this);
    };
    server.on('connection', (socket) => {
      if (this.#enter(socket)) socket.on('close', onClose);
    });
    server.on('secureConnection', (socket: Socket) => {
      const guest = this.#byPort.get(portOf(socket));
      if (guest === undefined) return;
      this.#known(guest);
      guest.socket = socket;
      this.#bySocket.set(socket, guest);
    });
    const timer = setInterval(() => this.look(), CHECK_INTERVAL).unref();
    server.once('close', () => clearInterval(timer));
  }

  /** Closes what has waited for too long. Node's own timer begins anew with every byte, also with those of no request. */
  look(): void {
    const latest = this.#clock() - WAIT;
    for (const guest of this.#waiting) {
      if (guest.since > latest) return;
      this.#close(guest);
    }
  }

  /**
   * A request came on this connection: until `rest` it is not the one to give way. With `request` only from when its body is
   * here, or it was admitted: it is no work of ours that a stranger's body does not come. False if it is not to be taken,
   * because too many before it are unanswered, or the connection is gone.
   */
  engage(socket: object, request?: IncomingMessage): boolean {
    const guest = this.#bySocket.get(socket);
    if (guest === undefined) return true;
    if (guest.gone || guest.asked >= PIPELINED) return false;
    guest.asked += 1;
    if (request !== undefined && hasBody(request)) {
      guest.coming += 1;
      this.#coming.set(request, guest);
      request.once('end', () => this.admit(request));
    }
    this.#settle(guest);
    return true;
  }

  /** A request whose body is no longer waited for: it is here, or we wait for it on behalf of somebody who may send it. */
  admit(request: IncomingMessage): void {
    const guest = this.#coming.get(request);
    if (guest === undefined) return;
    this.#coming.delete(request);
    guest.coming -= 1;
    this.#settle(guest);
  }

  /** That request is over; the connection waits for the next one. */
  rest(socket: object): void {
    const guest = this.#bySocket.get(socket);
    if (guest === undefined) return;
    guest.asked -= 1;
    this.#settle(guest);
  }

  /** Busy is whom we do something for; everybody else waits, from now on. */
  #settle(guest: Guest): void {
    if (guest.gone) return;
    guest.group.waiting.delete(guest);
    this.#waiting.delete(guest);
    if (guest.asked > guest.coming) {
      this.#busy.add(guest);
      return;
    }
    this.#busy.delete(guest);
    this.#wait(guest);
  }

  /** False: there is no room. */
  #enter(socket: Socket): boolean {
    const name = networkOf(canonicalAddress(socket.remoteAddress));
    const group = this.#groups.get(name) ?? { name, count: 0, waiting: new Set<Guest>() };
    const { connections, perAddress } = this.#limits;
    const room =
      (group.count < perAddress || this.#sendAway(group.waiting)) &&
      (this.#count < connections || this.#sendAway(this.#waiting));
    if (!room) {
      this.shed += 1;
      socket.destroy();
      return false;
    }
    this.#groups.set(name, group);
    const port = portOf(socket);
    const guest: Guest = { group, socket, port, asked: 0, coming: 0, since: 0, gone: false };
    group.count += 1;
    this.#count += 1;
    this.#byPort.set(port, guest);
    this.#bySocket.set(socket, guest);
    this.#wait(guest);
    return true;
  }

  /** Its TLS socket is there, or will never be. */
  #known(guest: Guest): void {
    const { port } = guest;
    guest.port = undefined;
    if (port !== undefined && this.#byPort.get(port) === guest) this.#byPort.delete(port);
  }

  #wait(guest: Guest): void {
    guest.since = Math.trunc(this.#clock());
    guest.group.waiting.add(guest);
    this.#waiting.add(guest);
  }

  /** Closes the connection that has waited longest; false if none is waiting. */
  #sendAway(waiting: ReadonlySet<Guest>): boolean {
    const [longest] = waiting;
    if (longest === undefined) return false;
    this.shed += 1;
    this.#close(longest);
    return true;
  }

  #close(guest: Guest): void {
    this.#leave(guest);
    guest.socket.destroy();
  }

  #leave(guest: Guest): void {
    if (guest.gone) return;
    guest.gone = true;
    this.#known(guest);
    const { group } = guest;
    group.waiting.delete(guest);
    this.#waiting.delete(guest);
    this.#busy.delete(guest);
    group.count -= 1;
    this.#count -= 1;
    if (group.count === 0) this.#groups.delete(group.name);
  }
}

/** What tells two connections to one listener apart; it may have several doors. */
function portOf({ localPort, remoteAddress, remotePort }: Socket): string {
  return `${localPort} ${remoteAddress} ${remotePort}`;
}
