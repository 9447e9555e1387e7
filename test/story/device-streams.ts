// Streams that a device's posture decides on: what a browser and a command line try to open.
import { once } from 'node:events';
import WebSocket from 'ws';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import type { StoryInstallation } from './installation.ts';
import type { Person } from './terminal/person.ts';

/** A WebSocket that the app `drop` opened for this person's browser. */
export async function echo(installation: StoryInstallation, { visitor }: Person): Promise<WebSocket> {
  const ws = new WebSocket(`${installation.originOf('drop')}/echo`.replace('https:', 'wss:'), {
    ca: installation.ca,
    lookup: localhostAwareLookup,
    headers: { cookie: visitor.cookieHeader('drop.localhost'), origin: installation.originOf('drop') },
  });
  await once(ws, 'open');
  return ws;
}

/** The status that an attempt to open the app `shell` gets. */
export async function connectStatus(
  installation: StoryInstallation,
  headers: Record<string, string>,
): Promise<number> {
  const url = `${installation.portal}/connect/shell`.replace('https:', 'wss:');
  const ws = new WebSocket(url, 'sallyport.tcp.v1', {
    ca: installation.ca,
    lookup: localhostAwareLookup,
    headers,
  });
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }];
  ws.on('error', () => undefined);
  ws.terminate();
  return response.statusCode;
}
