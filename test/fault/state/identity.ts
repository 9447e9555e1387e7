// Faults of the identity provider: gone, with new keys, and one that never ends its answers.
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair } from 'jose';
import type { Visitor } from '#bin/demo/visitor';
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

/** Forged tokens of a burst, each with a key that nobody has. */
const FORGED = 20;

/** Keys change between sign-ins, forged tokens name keys that are not there, and for a while there are no keys at all. */
export async function keyRotation(scope: Scope): Promise<Finding> {
  const [fleet, gateway] = await alone(scope);
  const looks: number[] = [];
  let absent = false;
  const rotate = async (name: string): Promise<void> => {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: name, use: 'sig', alg: 'RS256' };
    await fleet.stopProvider();
    await fleet.startProvider({ jwks: { keys: [jwk] } });
    const server = fleet.provider;
    const answers = server.listeners('request');
    server.removeAllListeners('request').on('request', (request, response) => {
      if (!/jwks/.test(request.url ?? ''))
        return answers.forEach((one) => void one.call(server, request, response));
      looks.push(performance.now());
      if (absent) response.writeHead(500).end();
      else for (const one of answers) one.call(server, request, response);
    });
  };
  let failed = 0;
  const rounds = 2;
  for (let round = 0; round < rounds; round += 1) {
    await rotate(`key-${round}`);
    // The first round's keys are the first that are seen; the one after is a rotation, looked up at once.
    await fleet.signIn().catch(() => {
      failed += 1;
    });
  }
  // Whoever sends tokens with keys of their own invention makes us look no more often than that.
  await sleep(30_000);
  const before = looks.length;
  const visitor = fleet.visitor();
  for (let one = 0; one < FORGED; one += 1) await visitor.ask(...forgedLogout(fleet, one));
  const more = looks.length - before;
  const { cookie } = await fleet.signIn('ben');
  absent = true;
  await rotate('key-absent');
  const without = await fleet.signIn('cleo').then(
    () => 'signed in',
    () => 'refused',
  );
  const works = (await gateway.app(cookie)).status;
  absent = false;
  const from = performance.now();
  let back = false;
  while (!back && performance.now() - from < 40_000) {
    await sleep(1_000);
    back = await fleet.signIn('cleo').then(
      () => true,
      () => false,
    );
  }
  const mended = Math.round((performance.now() - from) / 1_000);
  return {
    required: 'no failed sign-in, at most one look for unknown keys in 30 s; without keys nobody is believed',
    measured: `${failed} of ${rounds} sign-ins failed over ${rounds - 1} rotation; ${more} looks for ${FORGED} forged tokens; without keys a sign-in is ${without}, a session ${works}; with keys again after ${mended} s`,
    held: failed === 0 && more === 1 && without === 'refused' && works === 200 && back && mended <= 31,
  };
}

function forgedLogout(fleet: Fleet, number: number): Parameters<Visitor['ask']> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256', kid: `forged-${number}`, typ: 'logout+jwt' })}.${part({ iss: fleet.issuer })}.AAAA`;
  return [
    `https://access.localhost:${fleet.people}/backchannel-logout/corp`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `logout_token=${token}`,
    },
  ];
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
