// Runs in a network namespace of its own (`unshare --net`): an installation, and a person in another namespace whose
// address is taken away in the middle, so that nothing is heard from them again, not even from their kernel. Says as
// one line of JSON when each of their connections was closed.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { StoryInstallation } from '../story/installation.ts';
import { until } from '../story/part.ts';
import { GATEWAY_ADDRESS, PERSON_ADDRESS, type Vanishing } from './tunnel-vanish.ts';

const PATIENCE = 60_000;
const LINK = { near: 'person0', far: 'person1' };

const ip = (...args: string[]): void =>
  void execFileSync('ip', args, { stdio: ['ignore', 'inherit', 'inherit'] });
ip('link', 'set', 'lo', 'up');
const steps: (() => Promise<void>)[] = [];
let person: ChildProcess | undefined;
try {
  const installation = await StoryInstallation.start(
    { after: (step) => void steps.push(step) },
    {
      prepare: (directory) => {
        const file = join(directory, 'gateway.yaml');
        execFileSync('sed', ['-i', 's/people: 127.0.0.1:/people: 0.0.0.0:/', file]);
      },
    },
  );
  const ada = installation.visitor();
  for (const app of ['wiki', 'drop']) await ada.signIn(`${installation.originOf(app)}/`, 'ada', 'password');
  const what: Vanishing = {
    port: installation.ports.people,
    ca: installation.ca,
    cookies: { wiki: ada.cookieHeader('wiki.localhost'), drop: ada.cookieHeader('drop.localhost') },
  };
  const program = join(import.meta.dirname, 'tunnel-vanish-person-process.ts');
  const child = spawn('unshare', ['--net', process.execPath, program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  person = child;
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const said = async (): Promise<string> => (await lines.next()).value ?? 'ended';
  await said();
  // Both ends of a cable, one in each namespace.
  ip('link', 'add', LINK.near, 'type', 'veth', 'peer', 'name', LINK.far, 'netns', String(child.pid));
  ip('addr', 'add', `${GATEWAY_ADDRESS}/24`, 'dev', LINK.near);
  ip('link', 'set', LINK.near, 'up');
  child.stdin.write(`${JSON.stringify({ link: LINK.far, ...what })}\n`);
  const hardware = await said();
  // Known for good: as through a router, the network itself never says that nobody is there.
  ip('neigh', 'replace', PERSON_ADDRESS, 'lladdr', hardware, 'dev', LINK.near, 'nud', 'permanent');
  const opened = Number(await said());
  const ends = (): number =>
    installation.events().filter(({ event }) => event.action === 'stream-closed').length;
  await until('all are open', async () => (await installation.metric('sallyport_open_exchanges')) === opened);
  const before = ends();
  child.stdin.write('vanish\n');
  await said();
  const at = performance.now();
  const closed: number[] = [];
  while (closed.length < opened && performance.now() - at < PATIENCE) {
    // One of the streams has something to say all the time.
    installation.receiver.tick();
    await new Promise((resolve) => setTimeout(resolve, 200));
    while (closed.length < ends() - before) closed.push(Math.round(performance.now() - at));
  }
  process.stdout.write(`${JSON.stringify({ opened, closed })}\n`);
} finally {
  person?.kill('SIGKILL');
  for (const step of steps) await step();
}
