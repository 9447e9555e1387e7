// Loads a policy document without holding up the event loop: a worker reads and tests it, this side compiles what
// it hands over, a batch at a time. A worker that fails in any way is an error, never a policy.
import { Worker } from 'node:worker_threads';
import { Compiler } from '../compile.ts';
import type { Loading } from '../load.ts';
import { createPolicy } from '../policy.ts';
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
    // By way of the event loop: a port hands over as many messages in one go as arrive meanwhile.
    const next = (): void => void setImmediate(() => worker.postMessage('next' satisfies ToWorker));
    worker.on('message', (message: FromWorker) => {
      try {
        if (message.kind === 'refused') {
          resolve({ ok: false, problems: message.problems });
        } else if (message.kind === 'accepted') {
          head = message;
          compiler = new Compiler(message.definitions, message.apps);
          next();
        } else if (compiler === undefined || head === undefined) {
          reject(new Error('the loading worker sent rules before it accepted the document'));
        } else if (message.rules.length === 0) {
          const policy = createPolicy(compiler.finish(), head.hash);
          resolve({ ok: true, policy, warnings: head.warnings });
        } else {
          for (const rule of message.rules) compiler.add(rule);
          next();
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the loading worker ended early with code ${code}`)));
  });
  return loading.finally(() => void worker.terminate());
}
