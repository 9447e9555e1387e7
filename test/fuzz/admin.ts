// Corpus: what comes down the admin socket, and the policy file behind it, broken. Whatever is said gets an answer that
// says what was wrong, a policy that is refused changes nothing, and what was done is in the record.
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ADMIN_SOCKET } from '#gateway/console/socket';
import { OWN_BODY } from '#gateway/edge/limits';
import { type FuzzInstallation, POLICY, startFuzzInstallation } from './bed/installation.ts';
import { loopTimes } from './bed/loop.ts';
import { mutateText } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

/** Connections at once: what changes something waits for the transparency log, which takes many in one go. */
const AT_ONCE = 32;
/** Inputs between two looks at the record. */
const BATCH = 1_000;

interface Template {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  /** Events that a request which was done leaves. */
  readonly leaves?: string;
}

const by = 'fuzz';
const TEMPLATES: readonly Template[] = [
  { method: 'GET', path: '/v1/status' },
  { method: 'GET', path: '/v1/sessions?person=ada@example.com' },
  { method: 'GET', path: '/v1/devices' },
  { method: 'GET', path: '/v1/baselines' },
  {
    ...{ method: 'POST', path: '/v1/enrolment-tokens', leaves: 'enrolment-token-created' },
    body: { name: 'rack', life: 60_000, by },
  },
  {
    ...{ method: 'POST', path: '/v1/revocations' },
    body: { kind: 'session', id: '019cb830-4000-7a00-8000-000000000002', by, reason: 'a try' },
  },
  {
    ...{ method: 'POST', path: '/v1/device-tokens', leaves: 'device-token-created' },
    body: { name: 'anna-laptop', owner: 'ada@example.com', model: 'x', approved: true, life: 60_000, by },
  },
  { method: 'POST', path: '/v1/devices/anna-laptop/approve', body: { by } },
  { method: 'POST', path: '/v1/devices/anna-laptop/revoke', body: { by } },
  { method: 'POST', path: '/v1/devices/anna-laptop/forget', body: { by } },
  {
    ...{ method: 'POST', path: '/v1/devices/anna-laptop/baseline' },
    body: { by, openPcrs: [4], minimumFirmware: '7.2', commandLine: { required: ['a'], forbidden: [] } },
  },
  { method: 'POST', path: '/v1/baselines/7f3a9c/approve', body: { by } },
  { method: 'POST', path: '/v1/baselines/7f3a9c/remove', body: { by } },
  // No slip makes a drill of this: one would be a fault on purpose, and all that is tried.
  { method: 'POST', path: '/v1/drills', body: { fault: 'no fault', seconds: 6, by } },
];

/** What JSON readers stumble over, and values in the wrong place. */
const WORDS: readonly string[] = [
  ...['null', 'true', '[]', '{}', '""', '-0', '1e999', '9007199254740993', '0x7f', '1.5', 'NaN', ','],
  ...['"__proto__":{"by":"x"},', '"constructor":1,', '"by":"x",', '\\u0000', '\\ud800', '\u2028', '\0'],
  ...['[['.repeat(200), '{"a":'.repeat(100), '"', "'", '//', '/*', '\ufeff', 'x'.repeat(3000), '\r\n'],
];
const TARGETS: readonly string[] = [
  '//',
  '/..',
  '%00',
  '%zz',
  '%2f',
  '?',
  '#',
  '@x',
  ':80',
  '*',
  '\\',
  '/v1',
];

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const installation = await startFuzzInstallation();
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const crash = (error: unknown): void => tally.fail('(the process)', error);
  process.on('uncaughtException', crash).on('unhandledRejection', crash);
  try {
    const { complaints } = installation;
    let policy = await policyOf(installation);
    installation.events();
    while (tally.more) {
      let left = BATCH;
      const slowest = loopTimes();
      const done = new Map<string, number>();
      const worker = async (): Promise<void> => {
        while (left > 0 && tally.more) {
          left -= 1;
          tally.inputs += 1;
          const { leaves, ...asked } = brokenRequest(dice);
          const status = await tried(installation, asked, tally);
          if (leaves !== undefined && status === 201) done.set(leaves, (done.get(leaves) ?? 0) + 1);
        }
      };
      // Beside them, one policy after the other: each is in the transparency log before it answers, or is refused there.
      const reloads = async (): Promise<void> => {
        while (left > 0 && tally.more) {
          tally.inputs += 1;
          policy = await reloaded(installation, mutateText(POLICY, WORDS, dice), policy, tally);
        }
      };
      await Promise.all([...Array.from({ length: AT_ONCE }, worker), reloads()]);
      tally.slowest = Math.max(tally.slowest, slowest());
      compare(done, installation, tally);
      for (const complaint of complaints.splice(0)) tally.fail('(a log)', complaint);
    }
    return tally.figures();
  } finally {
    process.off('uncaughtException', crash).off('unhandledRejection', crash);
    await installation.close();
  }
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
}

/** A request with mistakes in its body, its target or both; now and then none. */
function brokenRequest(dice: Dice): Asked & Pick<Template, 'leaves'> {
  const { method, path, body, leaves } = dice.pick(TEMPLATES);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const broken = text === undefined || dice.chance(0.1) ? text : mutateText(text, WORDS, dice);
  const target = dice.chance(0.2) ? mutateText(path, TARGETS, dice) : path;
  const sent = dice.chance(0.05) ? 'x'.repeat(100_000) : broken;
  return {
    method: dice.chance(0.05) ? dice.pick(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']) : method,
    // What no client can put on a line is not what this is about.
    path: `/${target.replace(/[^\x21-\x7e]/g, '').replace(/^\//, '')}`,
    body: sent,
    ...(leaves === undefined ? {} : { leaves }),
  };
}

/** Every answer is JSON that says what came of it, and none is the gateway's own failure. */
async function tried(installation: FuzzInstallation, asked: Asked, tally: Tally): Promise<number> {
  try {
    const { status, text } = await ask(installation, asked);
    if (status >= 500) throw new Error(`answered ${status}: ${text}`);
    if (asked.method !== 'HEAD' && status !== 404) JSON.parse(text);
    if (text.includes('[object ')) throw new Error(`an answer nobody can read: ${text}`);
    return status;
  } catch (error) {
    // Whoever is still sending what is too large may be cut off before the answer is read.
    if ((asked.body?.length ?? 0) > OWN_BODY && /ECONNRESET|EPIPE/.test(String(error))) return 413;
    tally.fail(JSON.stringify(asked).slice(0, 500), error);
    return 0;
  }
}

/** Puts a policy in place and has it loaded; answers the one that is then in force. */
async function reloaded(
  installation: FuzzInstallation,
  text: string,
  before: string,
  tally: Tally,
): Promise<string> {
  writeFileSync(join(installation.directory, 'policy.yaml'), text);
  const status = await tried(installation, { method: 'POST', path: '/v1/policy/reload', body: '' }, tally);
  const now = await policyOf(installation);
  if (status !== 200 && now !== before) tally.fail(text, 'a policy that was refused is in force');
  return now;
}

async function policyOf(installation: FuzzInstallation): Promise<string> {
  const { text } = await ask(installation, { method: 'GET', path: '/v1/status', body: undefined });
  return String((JSON.parse(text) as { policy: string }).policy);
}

/** What was done and what is recorded of it. */
function compare(done: ReadonlyMap<string, number>, installation: FuzzInstallation, tally: Tally): void {
  const recorded = installation.events().map(({ event }) => event.action);
  for (const kind of new Set(TEMPLATES.flatMap(({ leaves }) => leaves ?? []))) {
    const [there, was] = [recorded.filter((action) => action === kind).length, done.get(kind) ?? 0];
    if (there !== was) tally.fail(`(${kind})`, `done ${was} times, recorded ${there} times`);
  }
}

function ask(
  { directory }: FuzzInstallation,
  { method, path, body }: Asked,
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const socketPath = join(directory, 'state', ADMIN_SOCKET);
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const asked = request({ socketPath, method, path, headers: { host: 'admin', ...length } }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    response.once('error', reject);
  });
  asked.once('error', reject);
  asked.end(body);
  return promise;
}
