// Health and metrics of all workers in one answer: each is asked, and its samples get its number as a label.
import type { Condition, HealthParts } from '#gateway/console/health';
import type { WorkerProcess } from './worker-process.ts';

/** Milliseconds after which a worker that does not say how it is counts as one that is not well. */
const PATIENCE = 2_000;

type Asked = Pick<WorkerProcess, 'number' | 'health' | 'restarts'>;

export class WorkersHealth implements HealthParts {
  readonly #workers: readonly Asked[];

  constructor(workers: readonly Asked[]) {
    this.#workers = workers;
  }

  /**
   * Of workers that serve: new connections reach them all the same. One that is being started takes no connections, and
   * the others take its share.
   */
  async condition(): Promise<Condition> {
    const serving = this.#workers.filter(({ health }) => health !== undefined);
    if (serving.length === 0) return { ailments: ['no worker serves'], warnings: [] };
    const found = await Promise.all(serving.map(conditionOf));
    return {
      ailments: found.flatMap(({ ailments }) => ailments),
      warnings: found.flatMap(({ warnings }) => warnings),
    };
  }

  async metrics(): Promise<string> {
    const texts = await Promise.all(
      this.#workers.map(async (worker) => [worker.number, (await ask(worker, '/metrics')) ?? ''] as const),
    );
    const each = (value: (worker: Asked) => number): string[] =>
      this.#workers.map((worker) => `{worker="${worker.number}"} ${value(worker)}`);
    return [
      merged(texts),
      family(
        'sallyport_worker_up',
        'gauge',
        '1 while the worker serves.',
        each(({ health }) => (health ? 1 : 0)),
      ),
      family(
        'sallyport_worker_restarts_total',
        'counter',
        'Times a worker was started again after it had died.',
        each(({ restarts }) => restarts),
      ),
    ].join('');
  }
}

async function conditionOf(worker: Asked): Promise<Condition> {
  const text = await ask(worker, '/readyz');
  if (text === undefined) return { ailments: [`worker ${worker.number} does not answer`], warnings: [] };
  const { ailments, warnings } = JSON.parse(text) as Condition;
  const named = (one: string): string => `worker ${worker.number}: ${one}`;
  return { ailments: ailments.map(named), warnings: warnings.map(named) };
}

async function ask({ health }: Asked, path: string): Promise<string | undefined> {
  if (health === undefined) return undefined;
  try {
    const reply = await fetch(`http://127.0.0.1:${health.port}${path}`, {
      signal: AbortSignal.timeout(PATIENCE),
    });
    return await reply.text();
  } catch {
    return undefined;
  }
}

function family(name: string, type: string, help: string, samples: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((one) => `${name}${one}\n`).join('')}`;
}

/** One exposition of many: each family once, with the samples of all, as Prometheus' text format wants it. */
export function merged(texts: readonly (readonly [number: number, text: string])[]): string {
  const families = new Map<string, { head: string; samples: string[] }>();
  for (const [number, text] of texts) {
    for (const block of text.split(/^(?=# HELP )/m)) {
      const [help = '', type = '', ...samples] = block.trimEnd().split('\n');
      if (!help.startsWith('# HELP ')) continue;
      const known = families.get(help) ?? { head: `${help}\n${type}\n`, samples: [] };
      known.samples.push(...samples.map((sample) => labelled(sample, number)));
      families.set(help, known);
    }
  }
  return [...families.values()]
    .map(({ head, samples }) => `${head}${samples.map((one) => `${one}\n`).join('')}`)
    .join('');
}

function labelled(sample: string, number: number): string {
  const match = /^([a-z_]+)(?:\{(.*)\})? (.*)$/.exec(sample);
  if (match === null) return sample;
  const [, name, labels, value] = match;
  return `${name}{${labels === undefined ? '' : `${labels},`}worker="${number}"} ${value}`;
}
