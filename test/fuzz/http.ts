// Corpus: HTTP requests of somebody who may use an app, broken in every way a parser might forgive. Whatever reaches
// the app must be one whole request that was allowed and recorded with that method and path, once.
import { setImmediate as turn } from 'node:timers/promises';
import { type FuzzInstallation, HOST, startFuzzInstallation } from './bed/installation.ts';
import type { Line } from './bed/line.ts';
import { loopTimes } from './bed/loop.ts';
import { mutateRequest, TEMPLATES } from './bed/requests.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';
import { Witness } from './bed/witness.ts';

/** Connections at once, and inputs between two looks at the record. */
const AT_ONCE = 16;
const BATCH = 4096;
/** Turns of the event loop without a byte after which nothing more is expected. */
const QUIET = 6;
/** Milliseconds that a request which waits for the rest of itself is given. */
const PATIENCE = 40;

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const installation = await startFuzzInstallation();
  const { server, complaints } = installation;
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const witness = new Witness(installation, tally);
  const under = new WeakMap<object, number>();
  const count = (socket: object, by: number): void => void under.set(socket, (under.get(socket) ?? 0) + by);
  server.on('request', (request, response) => {
    count(request.socket, 1);
    response.once('close', () => count(request.socket, -1));
  });
  const crash = (error: unknown): void => tally.fail('(the process)', error);
  process.on('uncaughtException', crash).on('unhandledRejection', crash);
  try {
    for (const template of TEMPLATES) {
      await exchange(installation, [template(installation.cookie)], under);
    }
    witness.check();
    // A corpus that reaches nothing proves nothing.
    if (witness.arrived < TEMPLATES.length / 2)
      tally.fail('(unbroken requests)', `${witness.arrived} arrived`);
    while (tally.more) {
      let left = BATCH;
      const slowest = loopTimes();
      const worker = async (): Promise<void> => {
        while (left > 0 && tally.more) {
          left -= 1;
          tally.inputs += 1;
          const mutant = mutateRequest(dice.pick(TEMPLATES)(installation.cookie), dice);
          witness.tried(mutant.join(''));
          await exchange(installation, mutant, under);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      tally.slowest = Math.max(tally.slowest, slowest());
      witness.check();
      for (const complaint of complaints.splice(0)) tally.fail('(a log)', complaint);
    }
    if (witness.arrived < tally.inputs / 50) tally.fail('(all)', `only ${witness.arrived} arrived`);
    return tally.figures();
  } finally {
    process.off('uncaughtException', crash).off('unhandledRejection', crash);
    await installation.close();
  }
}

async function exchange(
  installation: FuzzInstallation,
  pieces: readonly string[],
  under: WeakMap<object, number>,
): Promise<void> {
  const line = installation.line(HOST);
  for (const piece of pieces) {
    line.say(Buffer.from(piece, 'latin1'));
    await turn();
  }
  await settled(line, () => under.get(line) ?? 0);
  line.destroy();
}

/** Waits until nothing more happens on a connection. */
async function settled(line: Line, busy: () => number): Promise<void> {
  const until = performance.now() + PATIENCE;
  let seen = -1;
  for (let quiet = 0; quiet < QUIET && !line.destroyed && !line.writableEnded; ) {
    await turn();
    const now = line.text.length + busy() * 1e9;
    quiet = now === seen && busy() === 0 ? quiet + 1 : 0;
    if (busy() > 0 && performance.now() > until) return;
    seen = now;
  }
}
