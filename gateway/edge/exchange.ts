// One request and the means to answer it, whether it is plain HTTP or asks for an upgrade.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { hangUp } from './hang-up.ts';

/** One request as Node parsed it. For an upgrade `response` writes to the raw socket until it is spliced. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Bytes behind an upgrade request's head. */
  readonly upgradeHead?: Buffer;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectContinue?: boolean;
  /** To be called when who asks may ask: the body that is still to come is none of a stranger's. */
  readonly admitted?: () => void;
}

/** An upgrade as an exchange: until it is spliced, the gateway can refuse it with an ordinary response. */
export function upgradeExchange(request: IncomingMessage, socket: Duplex, head: Buffer): Exchange {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(request.socket);
  response.once('finish', () => hangUp(socket));
  return { request, response, upgradeHead: head };
}
