// Floods of the listener for connectors, by strangers and by a connector that has gone over to the other side. Meanwhile
// people ask on a new connection each time, and another connector dials a tunnel: both must be answered, and nobody
// honest may lose a tunnel.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dial } from '#connectors/link/dial';
import { enrol } from '#connectors/link/enrol';
import { type Identity, saveIdentity } from '#connectors/link/identity';
import { readToken } from '#connectors/link/token';
import { FRAME, frame } from '#connectors/wire/frame';
import { encodeHello } from '#connectors/wire/hello';
import { VERSIONS } from '#connectors/wire/limits';
import { CONNECTOR } from '../story/documents.ts';
import type { StoryInstallation } from '../story/installation.ts';
import { honest, PATIENCE, residentMb, within } from './honest-person.ts';
import type { FaultOptions, FaultReport } from './report.ts';

/** Each flood, in seconds; and a while in which the gateway closes what was left of it. */
const SECONDS = 6;
const AFTER = 1_500;
/** Milliseconds between two requests of people, and two dials: a gateway takes eight a second of one connector. */
const PAUSE = 40;
const BETWEEN_DIALS = 250;
/** Promised: the share of requests and of dials that are answered. */
const SUCCESS = 0.999;
/** The gateway's memory at most, MiB: beside what it holds, the runtime lets what was read pile up before it collects. */
const RSS_MIB = 1_280;

/** Room for fewer than come: what a stranger holds, somebody honest must get. */
const FURTHER = `  - { id: annex, name: Annex, host: annex.localhost, connectors: [rack-3] }
limits: { connections: 1000, perAddress: 100 }
`;

const BY_STRANGERS = ['handshakes', 'heads', 'bodies', 'questions', 'tokens'];
const BY_A_CONNECTOR = [
  ...['upgrades', 'attestations', 'hellos', 'second hello', 'opens', 'resets'],
  ...['resets of one', 'resets of one, 40 tunnels', 'pings', 'pongs', 'acknowledgements', 'credit'],
  ...['goodbyes', 'frames too long', 'hellos too long', 'pings of WebSockets', 'pongs of WebSockets'],
];

interface Asked {
  asked: number;
  answered: number;
  slowestMs: number;
}

interface Phase {
  readonly name: string;
  readonly people: Asked;
  readonly dials: Asked;
  readonly rssMb: number;
  /** What the flood counted. */
  readonly flood: Readonly<Record<string, number>>;
}

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const phases: Phase[] = [];
  let lost = 0;
  await within(FURTHER, async (installation) => {
    saveIdentity(installation.path('flood'), await enrolled(installation, 'rack-2'));
    const dialler = await enrolled(installation, 'rack-3');
    const ada = installation.visitor();
    await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
    const cookie = ada.cookieHeader('wiki.localhost');
    for (const name of [...BY_STRANGERS, ...BY_A_CONNECTOR]) {
      progress(name);
      phases.push(await phase(installation, name, cookie, dialler));
      await sleep(AFTER);
    }
    lost = tunnelsLost(installation);
  });
  const people = together(phases.map((one) => one.people));
  const dials = together(phases.map((one) => one.dials));
  const rss = Math.max(...phases.map(({ rssMb }) => rssMb));
  const [asked, joined] = [people.answered / people.asked, dials.answered / dials.asked];
  return {
    table: phases.map(lineOf).join('\n'),
    figures: {
      honest_success_rate: Math.floor(asked * 1e5) / 1e5,
      honest_requests: people.asked,
      slowest_honest_ms: people.slowestMs,
      dial_success_rate: Math.floor(joined * 1e5) / 1e5,
      honest_dials: dials.asked,
      slowest_dial_ms: dials.slowestMs,
      honest_tunnels_lost: lost,
      rss_mb: rss,
    },
    held: asked >= SUCCESS && joined >= SUCCESS && lost === 0 && rss <= RSS_MIB,
  };
}

function lineOf({ name, people, dials, rssMb, flood }: Phase): string {
  const of = ({ asked, answered, slowestMs }: Asked): string =>
    `${answered} of ${asked}, slowest ${slowestMs} ms`;
  const counted = Object.entries(flood).map(([what, count]) => `${count} ${what}`);
  return `${name.padEnd(26)} requests ${of(people)}; dials ${of(dials)}; ${rssMb} MiB; ${counted.join(', ')}`;
}

function together(all: readonly Asked[]): Asked {
  const sum = { asked: 0, answered: 0, slowestMs: 0 };
  for (const { asked, answered, slowestMs } of all) {
    sum.asked += asked;
    sum.answered += answered;
    sum.slowestMs = Math.max(sum.slowestMs, slowestMs);
  }
  return sum;
}

async function enrolled(installation: StoryInstallation, name: string): Promise<Identity> {
  const out = `${name}.token`;
  const words = ['create', '--config', 'gateway.yaml', '--connector', name, '--out', out];
  const { code, output } = await installation.sallyport('token', ...words);
  if (code !== 0) throw new Error(output);
  const token = readToken(readFileSync(installation.path(out), 'utf8').trim(), Date.now());
  return enrol(gatewayOf(installation), token);
}

function gatewayOf({ ports }: StoryInstallation): URL {
  return new URL(`https://localhost:${ports.connectors}`);
}

/** Tunnels that the connector of everybody's app has lost. */
function tunnelsLost(installation: StoryInstallation): number {
  return installation
    .events()
    .map((event) => JSON.stringify(event))
    .filter((text) => text.includes('connector-disconnected') && text.includes(`"${CONNECTOR}"`)).length;
}

async function phase(
  installation: StoryInstallation,
  name: string,
  cookie: string,
  dialler: Identity,
): Promise<Phase> {
  let over = false;
  const flooded = flood(installation, name).finally(() => {
    over = true;
  });
  let rssMb = 0;
  const asking = async (pause: number, ask: () => Promise<boolean>): Promise<Asked> => {
    const all = { asked: 0, answered: 0, slowestMs: 0 };
    while (!over) {
      all.asked += 1;
      const since = performance.now();
      if (await ask()) all.answered += 1;
      all.slowestMs = Math.max(all.slowestMs, Math.round(performance.now() - since));
      rssMb = Math.max(rssMb, residentMb(installation.gateway.pid));
      await sleep(pause);
    }
    return all;
  };
  const [people, dials] = await Promise.all([
    asking(PAUSE, () => honest(installation, cookie)),
    asking(BETWEEN_DIALS, () => joins(gatewayOf(installation), dialler)),
  ]);
  return { name, people, dials, rssMb, flood: await flooded };
}

/** What the flood counted. */
async function flood(installation: StoryInstallation, way: string): Promise<Record<string, number>> {
  const script = join(import.meta.dirname, 'connectors-flood-process.ts');
  const args = [
    script,
    way,
    String(installation.ports.connectors),
    String(SECONDS),
    installation.path('flood'),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(text) as Record<string, number>;
}

/** One tunnel, from the dial to the gateway's welcome; true if that came in time. */
async function joins(gateway: URL, identity: Identity): Promise<boolean> {
  const welcomed = async (): Promise<boolean> => {
    const ws = await dial(gateway, identity);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    ws.once('message', () => resolve(true));
    ws.once('close', () => resolve(false));
    ws.on('error', () => {});
    const limits = { versions: VERSIONS, window: 65_536, streams: 8 };
    ws.send(frame(FRAME.HELLO, 0, encodeHello({ ...limits, apps: [], instance: 'honest', software: 'x' })));
    const timer = setTimeout(() => resolve(false), PATIENCE);
    const came = await promise;
    clearTimeout(timer);
    ws.terminate();
    return came;
  };
  return Promise.race([welcomed().catch(() => false), sleep(PATIENCE, false, { ref: false })]);
}
