// Answers that the gateway itself gives on an app's address: a page for a browser, JSON for a program.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OWN_HEADERS } from '#gateway/portal/page';
import { ANSWER_TIMEOUT } from './limits.ts';
import { hasBody } from './request-body.ts';

export interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  /** Rendered only if the client asks for HTML. */
  html(): Promise<string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** True if the client is a browser that would show a page. */
function wantsPage(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('text/html') === true;
}

/** True for a navigation, which can be redirected; a program would follow a redirect into a login page. */
export function isNavigation(request: IncomingMessage): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const mode = request.headers['sec-fetch-mode'];
  return mode === undefined ? wantsPage(request) : mode === 'navigate';
}

export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  what: Answer,
): Promise<void> {
  const page = wantsPage(request);
  const body = page ? await what.html() : `${JSON.stringify(what.json)}\n`;
  if (response.destroyed || response.headersSent) return;
  response.writeHead(what.status, {
    ...OWN_HEADERS,
    'Content-Type': page ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...unreadBody(request),
    ...what.headers,
  });
  response.setTimeout(ANSWER_TIMEOUT);
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function redirect(
  request: IncomingMessage,
  response: ServerResponse,
  location: string,
  cookie: string,
): void {
  const headers = { ...OWN_HEADERS, Location: location, 'Set-Cookie': cookie, 'Content-Length': 0 };
  response.writeHead(302, { ...headers, ...unreadBody(request) });
  response.setTimeout(ANSWER_TIMEOUT);
  response.end();
}

/** A body nobody will read ends the connection, so that what follows it is never taken for a request. */
function unreadBody(request: IncomingMessage): Record<string, string> {
  return hasBody(request) ? { Connection: 'close' } : {};
}
