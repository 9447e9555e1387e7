// Every number of the protocol in one place: what the specification fixes, and what an implementation chooses.
// Nothing here may be raised without asking what a hostile peer can make the other end hold.

const KiB = 1024;
const MiB = 1024 * KiB;

/** WebSocket subprotocol of a tunnel; the number is the major version of the framing. */
export const SUBPROTOCOL = 'sallyport.v1';
/** Versions of the session protocol that this implementation speaks. */
export const VERSIONS: readonly number[] = [1];

/** Fixed by the specification: changing one is a new protocol version. */
export const FRAME_HEADER = 8;
/** Largest DATA payload: at 100 Mbit/s one frame holds the line for 1.3 ms. */
export const MAX_DATA: number = 16 * KiB;
/** Largest OPEN, HEAD, INFO or TRAILERS payload: four times node's own default for a request head. */
export const MAX_HEAD: number = 64 * KiB;
export const MAX_HELLO: number = 64 * KiB;
/** Words that come with a RST or a GOAWAY, for logs only. */
export const MAX_DETAIL = 200;
export const MAX_APP_ID = 64;
/** Apps a connector may offer in one hello. */
export const MAX_APPS = 512;
/** Ways that one gateway may name to another, and the bytes they may take of a hello: with more it names apps alone. */
export const MAX_WAYS = 512;
export const MAX_WAYS_BYTES: number = 32 * KiB;
/** Odd streams are the gateway's, even ones the connector's. Well before the last one the connector replaces the tunnel. */
export const LAST_STREAM = 0x7fff_ffff;
/** Body bytes of each direction of a stream that may pass waiting bulk data. */
export const BYPASS_BYTES: number = 4 * KiB;

/** Bytes waiting in the local socket at which informational heads are dropped: they have no credit, and would wait without end. */
export const HINTS_BACKLOG: number = 256 * KiB;

/** Chosen by each end, and told to the other where it matters. */
export interface Limits {
  /** Bytes the peer may send on a new stream before credit. */
  readonly window: number;
  /** Largest window a fast stream grows to: what one slow reader can make this process hold, and `IN_HAND` again in TLS. */
  readonly maxWindow: number;
  /** Streams the peer may have open at once. */
  readonly streams: number;
  /** Stream id from which on a tunnel is to be replaced: before the last, while there is time for it. */
  readonly replaceAt: number;
  /** Bounds of unacknowledged bytes in flight on a tunnel, all streams together. */
  readonly minInFlight: number;
  readonly maxInFlight: number;
  /** Acknowledge to the peer each time this many bytes have arrived. */
  readonly ackEvery: number;
  /** Bytes waiting in the local socket at which the peer counts as not reading. */
  readonly maxBacklog: number;
  /** Bytes received and not yet consumed, all tunnels of the process together. */
  readonly maxHeld: number;
  /** Seconds. */
  readonly helloSeconds: number;
  readonly pingSeconds: number;
  /** Silence after an unanswered ping at which the peer is dead: with `pingSeconds` and a tick, 19 s at worst. */
  readonly pongSeconds: number;
  /** Silence after an unanswered ping at which other tunnels are preferred. */
  readonly doubtSeconds: number;
  /** Silence at which an exchange is given up; WebSocket, event streams and TCP are exempt. */
  readonly idleSeconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  window: 256 * KiB,
  maxWindow: 512 * KiB,
  streams: 16_384,
  replaceAt: LAST_STREAM - 4_000_000,
  minInFlight: 128 * KiB,
  maxInFlight: 16 * MiB,
  ackEvery: 32 * KiB,
  maxBacklog: 24 * MiB,
  maxHeld: 256 * MiB,
  helloSeconds: 10,
  pingSeconds: 10,
  pongSeconds: 8,
  doubtSeconds: 2,
  idleSeconds: 300,
};

/** Milliseconds that a peer gets to read the GOAWAY of an error before the line is cut. */
export const LAST_WORDS_MS = 1000;

/** Milliseconds between two calls of `Session.tick`. */
export const TICK_MS = 1000;

/** Batching: payloads up to this are copied into the slab, larger ones are sent by reference. */
export const COPY_UP_TO: number = 8 * KiB;
export const SLAB: number = 32 * KiB;
export const FIRST_SLAB: number = KiB;
/** Bytes collected in one turn of the event loop at which they are sent without waiting for its end. */
export const FLUSH_AT: number = 128 * KiB;

/** A slow reader's bytes that its socket or response is given at a time: it keeps them twice, as they came and encrypted. */
export const IN_HAND: number = 256 * KiB;

/** Of node's pool of buffers: with its own 64 KiB, a message that waits for a slow reader keeps three others in memory. */
export const POOL: number = 8 * KiB;

/** Largest WebSocket message: what one slab or one frame can be, and room for a later version. */
export const MAX_MESSAGE_BYTES: number = 128 * KiB;

interface WebSocketOptions {
  readonly perMessageDeflate: false;
  readonly skipUTF8Validation: true;
  readonly maxPayload: number;
}

/** What `ws` is told at both ends. */
export const WEBSOCKET_OPTIONS: WebSocketOptions = {
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: MAX_MESSAGE_BYTES,
};
