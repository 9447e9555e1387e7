// Faults of the identity provider: gone, with new keys, and one that never ends its answers.
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import type { Scope } from '#test/contract/redis';
import type { Finding } from '../report.ts';
import { Fleet } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';

async function alone(scope: Scope): Promise<[Fleet, FleetGateway]> {
  const fleet = await Fleet.start(scope);
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  return [fleet, gateway];
}

/** Who is signed in works on; who signs in is told. */
export async function providerDown(scope: Scope): Promise<Finding> {
  const [fleet, gateway] = await alone(scope);
  const { cookie } = await fleet.signIn();
  const visitor = fleet.visitor();
  const page = await visitor.visit(`https://wiki.localhost:${fleet.people}/`);
  await fleet.stopProvider();
  const works = await gateway.app(cookie);
  // Somebody who comes back from the provider in this moment, and somebody at a gateway that has not met it yet.
  const state = new URL(page.url).searchParams;
  const back = await visitor.ask(
    `https://access.localhost:${fleet.people}/callback/corp?code=x&state=${state.get('state') ?? 'unknown'}`,
  );
  await gateway.part.stop();
  await gateway.start();
  const told = await visitor.ask(`https://access.localhost:${fleet.people}/sign-in?provider=corp`);
  await gateway.connect();
  const still = await gateway.app(cookie);
  return {
    required: 'sessions go on; sign-in says so, 503',
    measured: `sessions ${works.status}, after a restart ${still.status}; sign-in ${told.status}${/cannot be reached/.test(told.body) ? ' "cannot be reached"' : ''}; a callback ${back.status}`,
    held:
      works.status === 200 &&
      still.status === 200 &&
      told.status === 503 &&
      /cannot be reached/.test(told.body),
  };
}

/** Keys change between two sign-ins, twice, and nobody notices. */
export async function keyRotation(scope: Scope): Promise<Finding> {
  const [fleet] = await alone(scope);
  let failed = 0;
  const rounds = 3;
  for (let round = 0; round < rounds; round += 1) {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: `key-${round}`, use: 'sig', alg: 'RS256' };
    await fleet.stopProvider();
    await fleet.startProvider({ jwks: { keys: [jwk] } });
    // The first round's keys are the first that are seen; the one after is a rotation, looked up at once.
    if (round === 2) await new Promise((resolve) => setTimeout(resolve, 30_000));
    await fleet.signIn().catch(() => {
      failed += 1;
    });
  }
  return {
    required: 'no failed sign-in, at most one look for unknown keys in 30 s',
    measured: `${failed} of ${rounds} sign-ins failed over ${rounds - 1} rotations`,
    held: failed === 0,
  };
}

/** A provider that takes connections and says nothing, or never stops talking. */
export async function hostileProvider(scope: Scope): Promise<Finding> {
  const [fleet, gateway] = await alone(scope);
  await fleet.stopProvider();
  await gateway.part.stop();
  const authority = await openAuthority(`${gateway.directory}/state/development-ca`, 'Fleet', Date.now);
  const certificate = await issueCertificate(authority, ['id.localhost']);
  let talk = false;
  const sockets = new Set<Socket>();
  const server = createServer(certificate, (_request, response) => {
    if (!talk) return;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const junk = 'x'.repeat(64 * 1024);
    const more = (): void => {
      while (!response.destroyed && response.write(junk));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) =>
    server.listen(Number(new URL(fleet.issuer).port), '127.0.0.1', resolve),
  );
  scope.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await gateway.start();
  const silent = await gateway.signIn();
  talk = true;
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const before = (await gateway.metric('process_resident_memory_bytes')) ?? 0;
  const endless = await gateway.signIn();
  const grown =
    Math.max(0, ((await gateway.metric('process_resident_memory_bytes')) ?? 0) - before) / 2 ** 20;
  return {
    required: 'a sign-in ends within 5 s (and one for us), having read at most 1 MiB',
    measured: `silent: ${silent.status} after ${Math.round(silent.milliseconds)} ms; endless: ${endless.status} after ${Math.round(endless.milliseconds)} ms, memory +${grown.toFixed(1)} MiB`,
    held:
      silent.status === 503 &&
      silent.milliseconds <= 6_000 &&
      endless.status === 503 &&
      endless.milliseconds <= 6_000 &&
      grown < 64,
  };
}
