// The line between gateway and connector goes silent without a close: in both directions (a partition), or in one (half
// of a TCP connection is gone). Both ends must notice, answer what is under way, and find a new line.
import { ask } from '#test/gateway/tunnel/bed';
import { type Cleanup, startApp, startConnector, startGateway } from '#test/story/tunnel/processes';
import { until } from '../story/part.ts';
import { type Direction, line } from './line.ts';
import type { Finding } from './report.ts';

export interface SilentOptions {
  readonly direction: Direction;
  /** Milliseconds. */
  readonly within: number;
  readonly name: string;
}

export async function silent(scope: Cleanup, { direction, within, name }: SilentOptions): Promise<Finding> {
  const hangs = Promise.withResolvers<void>();
  const app = await startApp(scope, (request, response) => {
    request.resume();
    if (request.url === '/hang') hangs.resolve();
    else response.end('ok');
  });
  const gateway = await startGateway(scope);
  const between = await line(scope, gateway.connectors);
  const up = gateway.lines.next('connected', 'one');
  const token = await gateway.token('one');
  const connector = startConnector(scope, { name: 'one', gatewayPort: between.port, app, token });
  await up;
  await until('both tunnels', () => (connector.text().match(/connected to/g) ?? []).length === 2);
  const before = between.connections();
  const hanging = ask(gateway.people, { path: '/hang', method: 'POST' });
  await hangs.promise;
  between.silence(direction);
  const at = performance.now();
  let gatewayMs = 0;
  let connectorMs = 0;
  const gone = gateway.lines.next('disconnected', 'one').then(() => {
    gatewayMs = performance.now() - at;
  });
  const lost = until('the connector notices', () => /tunnel lost/.test(connector.text())).then(() => {
    connectorMs = performance.now() - at;
  });
  const { status, body } = await hanging;
  const answeredMs = performance.now() - at;
  await Promise.all([gone, lost]);
  // Redialled, after at most a second or two.
  await until('a new line', () => between.connections() > before);
  const next = await until('it serves again', async () => {
    const answer = await ask(gateway.people, { path: '/' });
    return answer.status === 200 && answer;
  });
  const longest = Math.max(gatewayMs, connectorMs, answeredMs);
  return {
    required: `noticed at both ends within ${within / 1000} s, and what was under way is answered`,
    measured: `gateway ${seconds(gatewayMs)}, connector ${seconds(connectorMs)}, the request ${status} ${body} after ${seconds(answeredMs)}, then ${next.status}`,
    held: longest <= within && status === 502 && body === 'connector-lost',
    figures: { [`${name}_noticed_ms`]: Math.round(longest) },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
