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
  override createConnection(
    ...[options, callback]: Parameters<Agent['createConnection']>
  ): ReturnType<Agent['createConnection']> {
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

/** For requests and WebSockets. Honours HTTPS_PROXY and NO_PROXY of `env`. */
export function outboundAgent(options: AgentOptions = {}, env: NodeJS.ProcessEnv = process.env): Agent {
  return new Outbound({
    lookup: localhostAwareLookup,
    checkServerIdentity: serverIdentity,
    ...options,
    proxyEnv: env,
  });
}
