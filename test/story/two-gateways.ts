// Two gateways of one installation, sharing Redis, with two connectors that have tunnels to both.
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { NEEDS, type Scope } from './installation.ts';
import { type Pair, startPair } from './pair.ts';
import { type Part, until } from './part.ts';
import { freePorts } from './ports.ts';

export const TWO_NEEDS: readonly string[] = [...NEEDS, ...REDIS_NEEDS];

/** One of the two, and how to speak to it. */
export interface OneGateway {
  readonly people: number;
  readonly health: number;
  part: Part;
  start(): Promise<void>;
  /** Its tunnels, of all connectors; undefined while it does not answer. */
  tunnels(): Promise<number | undefined>;
}

export interface TwoGateways extends Pair {
  readonly gateways: readonly [OneGateway, OneGateway];
}

async function figure(health: number, name: string): Promise<number | undefined> {
  const reply = await fetch(`http://127.0.0.1:${health}/metrics`).catch(() => undefined);
  const match = new RegExp(`^${name} (.*)$`, 'm').exec((await reply?.text()) ?? '');
  return match === null ? undefined : Number(match[1]);
}

export async function startTwoGateways(scope: Scope): Promise<TwoGateways> {
  const redis = await redisServer(scope);
  const [people = 0, connectors = 0, health = 0] = await freePorts(3);
  const shared = (directory: string): string => `state:
  kind: redis
  directory: ${directory}
  secret: { file: ./state-secret }
  redis: { server: "127.0.0.1:${redis.port}" }
`;
  const pair = await startPair(scope, {
    gateways: (own) => [own, connectors],
    prepare: (directory) => {
      const at = join(directory, 'gateway.yaml');
      const text = readFileSync(at, 'utf8');
      writeFileSync(at, text.replace('state: ./state\n', shared('./state')));
      writeFileSync(join(directory, 'state-secret'), randomBytes(32).toString('base64url'), { mode: 0o600 });
      const other = text
        .replace('state: ./state\n', shared('./state-2'))
        .replace('name: edge-1', 'name: edge-2')
        .replace(/people: 127\.0\.0\.1:\d+/, `people: 127.0.0.1:${people}`)
        .replace(/connectors: 127\.0\.0\.1:\d+/, `connectors: 127.0.0.1:${connectors}`)
        .replace(/health: 127\.0\.0\.1:\d+/, `health: 127.0.0.1:${health}`);
      writeFileSync(join(directory, 'gateway-2.yaml'), other);
    },
  });
  const { installation } = pair;
  // People trust one development CA, whichever gateway they reach.
  mkdirSync(installation.path('state-2'), { mode: 0o700 });
  cpSync(installation.path('state/development-ca'), installation.path('state-2/development-ca'), {
    recursive: true,
  });
  const launch = async (name: string, document: string): Promise<Part> => {
    const part = installation.run(name, ['gateway', '--config', document, '--json']);
    await part.said(/"ready":true/);
    return part;
  };
  const one: OneGateway = {
    people: installation.ports.people,
    health: installation.ports.health,
    part: installation.gateway,
    start: async () => {
      await installation.startGateway();
      one.part = installation.gateway;
    },
    tunnels: () => figure(installation.ports.health, 'sallyport_tunnels'),
  };
  const two: OneGateway = {
    ...{ people, health },
    part: await launch('gateway-2', 'gateway-2.yaml'),
    start: async () => {
      two.part = await launch('gateway-2', 'gateway-2.yaml');
    },
    tunnels: () => figure(health, 'sallyport_tunnels'),
  };
  for (const gateway of [one, two]) await until('all tunnels', async () => (await gateway.tunnels()) === 4);
  return { ...pair, gateways: [one, two] };
}
