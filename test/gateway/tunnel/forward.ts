// What the flow would forward of a request, for tests that have no flow: all its end-to-end fields.
import type { IncomingMessage } from 'node:http';
import type { ForwardHead } from '#gateway/tunnel/relay';

const DROPPED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'expect',
  'proxy-connection',
]);

export function forwardOf(req: IncomingMessage): ForwardHead {
  const headers: string[] = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] as string;
    if (!DROPPED.has(name.toLowerCase())) headers.push(name, req.rawHeaders[i + 1] as string);
  }
  return { method: req.method ?? '', path: req.url ?? '', headers };
}
