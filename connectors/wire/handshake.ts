// The first frame of each side of a session: which one this side waits for, and what it takes from it.
import { WireError } from './error.ts';
import { FRAME, frameName } from './frame.ts';
import { chooseVersion, decodeHello, decodeWelcome, encodeHello, type Hello, type Welcome } from './hello.ts';

/** What this side says: a connector its hello, a gateway its welcome. */
export type Greeting = { readonly hello: Hello } | { readonly welcome: Omit<Welcome, 'version'> };

/** What the peer said: its hello to a gateway, its welcome to a connector. */
export type PeerGreeting = { readonly hello: Hello } | { readonly welcome: Welcome };

export interface Met {
  readonly peer: PeerGreeting;
  /** The WELCOME to send, at the gateway. */
  readonly answer?: Buffer;
}

/** Reads the peer's first frame. @throws {WireError} `protocol` for any other frame, `version` when none is common. */
export function meet(own: Greeting, type: number, payload: Buffer): Met {
  if ('welcome' in own && type === FRAME.HELLO) {
    const hello = decodeHello(payload);
    const version = chooseVersion(hello.versions);
    return { peer: { hello }, answer: encodeHello({ version, ...own.welcome }) };
  }
  if ('hello' in own && type === FRAME.WELCOME) return { peer: { welcome: decodeWelcome(payload) } };
  throw new WireError('protocol', `${frameName(type)} before the hello`);
}
