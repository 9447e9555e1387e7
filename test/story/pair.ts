// An installation with two connectors for the same apps, each beside a back end of its own that says who it is.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CONNECTOR } from './documents.ts';
import { type InstallationOptions, type Scope, StoryInstallation } from './installation.ts';
import { type Part, until } from './part.ts';

export const SECOND = 'rack-9';

/** A back end that names itself in `X-Via`, `delay` milliseconds after it was asked. */
async function backEnd(scope: Scope, name: string, delay: number): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    setTimeout(() => response.writeHead(200, { 'X-Via': name }).end(name), delay);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(async () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Pair {
  readonly installation: StoryInstallation;
  /** By name; a restarted one takes the place of the old. */
  readonly connectors: Map<string, Part>;
  restart(name: string): void;
}

export interface PairOptions extends InstallationOptions {
  /** Milliseconds that the second back end takes longer. */
  readonly slower?: number;
  /** Connectors' ports of all gateways, in the place of the one. */
  readonly gateways?: (own: number) => readonly number[];
}

/** `wiki` goes to either connector; `drop` as well, and a session stays with one. */
export async function startPair(scope: Scope, options: PairOptions = {}): Promise<Pair> {
  const { slower = 0, gateways = (own) => [own], prepare, ...rest } = options;
  const first = await backEnd(scope, CONNECTOR, 5);
  const second = await backEnd(scope, SECOND, 5 + slower);
  const document = (name: string, own: number, app: number): string => `version: 1
name: ${name}
gateways: [${gateways(own).map((port) => `"https://localhost:${port}"`)}]
state: ./${name}
apps:
  wiki: { url: "http://127.0.0.1:${app}" }
  drop: { url: "http://127.0.0.1:${app}" }
`;
  const installation = await StoryInstallation.start(scope, {
    ...rest,
    prepare: (directory) => {
      const at = join(directory, 'gateway.yaml');
      const text = readFileSync(at, 'utf8');
      const own = Number(/connectors: 127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
      const both = `connectors: [${CONNECTOR}, ${SECOND}]`;
      const serving = (app: string): RegExp =>
        new RegExp(`(host: ${app}\\.localhost), connectors: \\[${CONNECTOR}\\]`);
      const edited = text
        .replace(serving('wiki'), `$1, ${both}`)
        .replace(serving('drop'), `$1, ${both}, sticky: session`);
      writeFileSync(at, edited);
      writeFileSync(join(directory, 'connector.yaml'), document(CONNECTOR, own, first));
      writeFileSync(join(directory, 'second.yaml'), document(SECOND, own, second));
      prepare?.(directory);
    },
  });
  const token = [
    'token',
    'create',
    '--config',
    'gateway.yaml',
    '--connector',
    SECOND,
    '--out',
    'second.token',
  ];
  const { code, output } = await installation.sallyport(...token);
  if (code !== 0) throw new Error(output);
  const connectors = new Map<string, Part>([[CONNECTOR, installation.connector]]);
  const documents = new Map([
    [CONNECTOR, 'connector.yaml'],
    [SECOND, 'second.yaml'],
  ]);
  const restart = (name: string, ...more: readonly string[]): void => {
    const args = ['connector', '--config', documents.get(name) ?? '', ...more];
    connectors.set(name, installation.run(name, args));
  };
  restart(SECOND, '--token-file', 'second.token');
  await installation.connected(2);
  await until('all tunnels', async () => (await installation.metric('sallyport_tunnels')) === 4);
  return { installation, connectors, restart };
}
