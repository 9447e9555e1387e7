// Names below `localhost` are this machine (RFC 6761 section 6.3). Many system resolvers do not know; this one does.
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

export const localhostAwareLookup: LookupFunction = (hostname, options, callback) => {
  const local = hostname === 'localhost' || hostname.endsWith('.localhost');
  systemLookup(local ? '127.0.0.1' : hostname, options, callback);
};
