// Loads a policy document without holding up the event loop: a worker reads and tests it, this side compiles what
// it hands over, a batch at a time. A worker that fails in any way is an error, never a policy.
import { Worker } from 'node:worker_threads';
import { Compiler } from '../compile.ts';
import { createPolicy } from '../compiled-policy.ts';
import type { Loading } from '../load.ts';
import type { FromWorker, Task, ToWorker } from './messages.ts';

/** The build renames it to the compiled one. */
const WORKER: URL = new URL('./worker.ts', import.meta.url);

/**
 * Memory for reading one document: of the old generation a document within the size limit needs less than a quarter;
 * a wide young one spares copying the many short-lived tokens.
 */
const LIMITS = { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 128 };

/**
 * Like `loadPolicy`, on a thread of its own. Rejects only when the worker itself breaks (out of memory, say);
 * whatever is wrong with the document is in the result.
 */
export function loadPolicyOffThread(text: string, file: string): Promise<Loading> {
  const task: Task = { text, file };
  const worker = new Worker(WORKER, { workerData: task, resourceLimits: LIMITS });
  const loading = new Promise<Loading>((resolve, reject) => {
    let compiler: Compiler | undefined;
    let head: (FromWorker & { kind: 'accepted' }) | undefined;
    const next = (): void => worker.postMessage('next' satisfies ToWorker);
    const take = (message: FromWorker): void => {
      if (message.kind === 'refused') {
        resolve({ ok: false, problems: message.problems });
      } else if (message.kind === 'accepted') {
        head = message;
        compiler = new Compiler(message.definitions, message.apps);
        next();
      } else if (compiler === undefined || head === undefined) {
        reject(new Error('the loading worker sent rules before it accepted the document'));
      } else if (message.rules.length > 0) {
        // The worker makes the next batch ready while this one is compiled.
        next();
        for (const rule of message.rules) compiler.add(rule);
      } else {
        resolve({ ok: true, policy: createPolicy(compiler.finish(), head.hash), warnings: head.warnings });
      }
    };
    // One message for each turn of the event loop: a port hands over in one go all that arrive meanwhile.
    const inTurn = (step: () => void): void => {
      setImmediate(() => {
        try {
          step();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    };
    worker.on('message', (message: FromWorker) => inTurn(() => take(message)));
    worker.once('error', reject);
    worker.once('exit', (code) =>
      inTurn(() => reject(new Error(`the loading worker ended early with code ${code}`))),
    );
  });
  return loading.finally(() => void worker.terminate());
}
