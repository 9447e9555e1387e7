// How a person's command line reaches the gateway: TLS to the portal, by a proxy if the environment names one.
import { type Agent, request } from 'node:https';
import { outboundAgent } from '../wire/outbound.ts';

const TIME_LIMIT = 15_000;
const REPLY_LIMIT = 256 * 1024;

/** Reaches the portal. `ca`: PEM to trust instead of the system's authorities. */
export function portalAgent(ca: string | undefined): Agent {
  return outboundAgent(ca === undefined ? {} : { ca });
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Sends JSON, with `more` header fields, and reads JSON. Rejects with what the network said. */
export function postJson(
  agent: Agent,
  url: URL,
  body: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'sallyport',
      ...more,
    };
    const call = request(url, { agent, method: 'POST', headers, timeout: TIME_LIMIT }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > REPLY_LIMIT) call.destroy(new Error('the reply is too large'));
      });
      reply.once('end', () => resolve({ status: reply.statusCode ?? 0, body: parsed(text) }));
      reply.once('error', reject);
    });
    call.once('timeout', () => call.destroy(new Error(`no answer within ${TIME_LIMIT / 1000} s`)));
    call.once('error', reject);
    call.end(JSON.stringify(body));
  });
}

/** Undefined for what is no JSON: a proxy's page, say. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
