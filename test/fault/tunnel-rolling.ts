// Two gateways restarted one after the other, with SIGTERM and under load: no request that can be sent again may fail
// for people behind a balancer that passes over a gateway which takes no connection.
import type { Scope } from '../story/installation.ts';
import { Load } from '../story/load.ts';
import { until } from '../story/part.ts';
import { startTwoGateways } from '../story/two-gateways.ts';
import type { Finding } from './report.ts';

/** How often both are restarted, and requests between two restarts. */
export async function rolling(scope: Scope, rounds: number): Promise<Finding> {
  const { installation, gateways } = await startTwoGateways(scope);
  const ada = installation.visitor();
  await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
  const cookie = ada.cookieHeader('wiki.localhost');
  const ports = gateways.map(({ people }) => people);
  const load = new Load(installation, { app: 'wiki', cookie, clients: 4, ports });
  await load.more(40);
  for (let round = 0; round < rounds; round += 1) {
    for (const gateway of gateways) {
      await gateway.part.stop();
      await load.more(20);
      await gateway.start();
      await until('all tunnels again', async () => (await gateway.tunnels()) === 4);
      await load.more(20);
    }
  }
  const { failures, answered, byPort } = await load.stop();
  const spread = ports.map((port) => byPort.get(port) ?? 0);
  return {
    required: 'no failed GET while two gateways are restarted one after the other',
    measured: `${failures.length} of ${answered + failures.length} failed in ${rounds * 2} restarts (${spread.join(' and ')} answered by each)${failures.length > 0 ? `: ${failures[0]}` : ''}`,
    held: failures.length === 0 && spread.every((count) => count > 0),
    figures: { rolling_requests: answered + failures.length, rolling_failed: failures.length },
  };
}
