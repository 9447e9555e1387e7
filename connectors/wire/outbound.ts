// How whatever dials out leaves this machine: directly, or through the proxy its environment names. The proxy sees
// a CONNECT with host and port; TLS, and so the peer's identity, is end to end behind it.
import { lookup as systemLookup } from 'node:dns';
import { Agent, type AgentOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { serverIdentity } from './server-identity.ts';

/** Names below `localhost` are this machine (RFC 6761 section 6.3); many system resolvers do not know. */
export const localhostAwareLookup: LookupFunction = (hostname, options, callback) => {
  const local = hostname === 'localhost' || hostname.endsWith('.localhost');
  systemLookup(local ? '127.0.0.1' : hostname, options, callback);
};

/** Milliseconds for a tunnel through a proxy, the TLS of what is behind it included. */
const TUNNEL_TIMEOUT = 10_000;

/**
 * The runtime's limit for a proxy's tunnel counts silence, and ends with the proxy's word that there is one. Until there is
 * a connection behind that, whoever asked does not even hear that it gave up itself.
 */
class Outbound extends Agent {
  readonly #unfit: string | undefined;

  /** `unfit`: what is wrong with the proxy that is named; then nothing is dialled. */
  constructor(options: AgentOptions, unfit: string | undefined) {
    super(options);
    this.#unfit = unfit;
  }

  override createConnection(
    ...[options, callback]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
    if (this.#unfit !== undefined) {
      process.nextTick(() => callback?.(new Error(this.#unfit), undefined as never));
      return undefined;
    }
    let timer: NodeJS.Timeout | undefined;
    const socket = super.createConnection(options, (error, stream) => {
      clearTimeout(timer);
      callback?.(error, stream);
    }) as Duplex;
    timer = setTimeout(() => {
      const seconds = TUNNEL_TIMEOUT / 1000;
      socket.destroy(new Error(`no connection through the proxy within ${seconds} s`));
    }, TUNNEL_TIMEOUT).unref();
    // A connection without a proxy belongs to its request at once, which ends it.
    process.nextTick(() => {
      if (Object.values(this.sockets).some((owned) => owned?.includes(socket as never))) clearTimeout(timer);
    });
    return socket;
  }
}

/** For requests and WebSockets. Honours HTTPS_PROXY and NO_PROXY of `env`, in either case. */
export function outboundAgent(options: AgentOptions = {}, env: NodeJS.ProcessEnv = process.env): Agent {
  const name = env['https_proxy'] ? 'https_proxy' : 'HTTPS_PROXY';
  const proxy = proxyIn(env[name] ?? '');
  // Never with what it is: there may be a password in it.
  const unfit = `${name} is not the address of an HTTP proxy, like http://proxy.example.com:3128`;
  const proxyEnv = { https_proxy: proxy, no_proxy: env['no_proxy'] || env['NO_PROXY'] };
  return new Outbound(
    { lookup: localhostAwareLookup, checkServerIdentity: serverIdentity, ...options, proxyEnv },
    proxy === undefined ? unfit : undefined,
  );
}

/**
 * As the runtime wants it, which overlooks whatever does not begin with `http`: without a scheme it is that of a proxy for
 * HTTP, as everywhere. Undefined for what is none; empty for none at all.
 */
function proxyIn(named: string): string | undefined {
  if (named === '') return '';
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : `http://${named}`;
  try {
    const { protocol, username, password } = new URL(text);
    decodeURIComponent(username + password);
    return protocol === 'http:' || protocol === 'https:'
      ? text.replace(/^https?/i, protocol.slice(0, -1))
      : undefined;
  } catch {
    return undefined;
  }
}
