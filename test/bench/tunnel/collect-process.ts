// Loaded into a process that is measured: at SIGUSR2 it collects its garbage and says what is left, since a heap that
// is allowed to grow says nothing about what is held.
import { setTimeout as sleep } from 'node:timers/promises';

const { gc } = globalThis;
if (gc === undefined) throw new Error('run with --expose-gc');
let times = 0;
process.on('SIGUSR2', async () => {
  times += 1;
  // What finalizers release in the first round goes in the next.
  for (let round = 0; round < 4; round += 1) {
    // The kind that also compacts, as the engine does by itself in a process that has been quiet for a while.
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await sleep(100);
  }
  process.stdout.write(`collected ${times} ${JSON.stringify(process.memoryUsage())}\n`);
});
