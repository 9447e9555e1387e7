// The only way we talk to an identity provider: bounded in time and size, no redirects, no decompression.
// A slow or hostile provider costs one failed login, never memory or a stuck request.
import type { CustomFetch } from 'openid-client';
import { Agent, request } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { serverIdentity } from '#connectors/wire/server-identity';

/** Milliseconds for a whole exchange, and bytes of a reply. */
const TIME_LIMIT = 5_000;
const SIZE_LIMIT = 1 << 20;

export class ProviderReplyError extends Error {
  readonly code: 'reply-too-large' | 'reply-encoded';
  constructor(code: ProviderReplyError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A fetch for openid-client. `ca` is PEM to trust instead of the system's authorities. */
export function providerFetch(ca: string | undefined): CustomFetch {
  const agent = new Agent({
    connect: {
      timeout: TIME_LIMIT,
      lookup: localhostAwareLookup,
      checkServerIdentity: serverIdentity,
      ...(ca === undefined ? {} : { ca }),
    },
    headersTimeout: TIME_LIMIT,
    bodyTimeout: TIME_LIMIT,
    maxResponseSize: SIZE_LIMIT,
  });
  return async (url, options) => {
    const reply = await request(url, {
      dispatcher: agent,
      method: options.method as 'GET' | 'POST',
      headers: { ...options.headers, 'accept-encoding': 'identity' },
      body: bodyOf(options.body),
      signal: AbortSignal.timeout(TIME_LIMIT),
    });
    const encoding = reply.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      await reply.body.dump({ limit: 0 }).catch(() => undefined);
      throw new ProviderReplyError('reply-encoded', `the provider sent ${encoding}, which was not asked for`);
    }
    const body = await readBounded(reply.body);
    const headers = new Headers();
    for (const [name, value] of Object.entries(reply.headers)) {
      for (const one of [value ?? []].flat()) headers.append(name, one);
    }
    return new Response(reply.statusCode === 204 ? null : body, { status: reply.statusCode, headers });
  };
}

function bodyOf(body: unknown): string | Uint8Array | null {
  if (body === undefined || body === null) return null;
  return body instanceof Uint8Array ? body : String(body);
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > SIZE_LIMIT)
      throw new ProviderReplyError('reply-too-large', `the provider sent over ${SIZE_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
