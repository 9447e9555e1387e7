// A connector killed in the middle of requests: who waits is told within a second, what may not be sent again is not,
// what may be goes to the other connector, and the next one works.
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '#test/gateway/tunnel/bed';
import { type Cleanup, startApp, startConnector, startGateway } from '#test/story/tunnel/processes';
import type { Finding } from './report.ts';

const TOLD_WITHIN = 1_000;

export async function killed(scope: Cleanup): Promise<Finding> {
  let posts = 0;
  let gets = 0;
  const arrived = Promise.withResolvers<void>();
  // Each app is the one of a connector: that of the doomed one never answers.
  const doomedApp = await startApp(scope, (request, response) => {
    request.resume();
    if (request.method === 'POST') posts += 1;
    else gets += 1;
    if (posts > 0 && gets > 0) arrived.resolve();
    void response;
  });
  const app = await startApp(scope, (request, response) => {
    request.resume();
    if (request.method === 'POST') posts += 1;
    response.end('ok');
  });
  const gateway = await startGateway(scope);
  const start = async (name: string, url: string): Promise<ReturnType<typeof startConnector>> => {
    const up = gateway.lines.next('connected', name);
    const token = await gateway.token(name);
    const connector = startConnector(scope, { name, gatewayPort: gateway.connectors, app: url, token });
    await up;
    return connector;
  };
  const doomed = await start('doomed', doomedApp);
  const get = ask(gateway.people, { path: '/get' });
  const post = ask(gateway.people, { path: '/post', method: 'POST', body: 'once' });
  await arrived.promise;
  await start('stays', app);
  const at = performance.now();
  doomed.child.kill('SIGKILL');
  const told = await post;
  const toldMs = performance.now() - at;
  const again = await get;
  const next = await ask(gateway.people, { path: '/next', method: 'POST', body: 'next' });
  await sleep(100);
  const sentTwice = posts - 2;
  const held =
    told.status === 502 &&
    toldMs < TOLD_WITHIN &&
    again.status === 200 &&
    next.status === 200 &&
    sentTwice === 0;
  return {
    required: '502 within 1 s, nothing but GET and HEAD sent again, another connector takes the next',
    measured: `${told.status} after ${Math.round(toldMs)} ms, POST sent again ${sentTwice} times, GET ${again.status}, next ${next.status}`,
    held,
    figures: { killed_told_ms: Math.round(toldMs), killed_post_repeats: sentTwice },
  };
}
