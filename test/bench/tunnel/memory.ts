// The resident memory of a process once its garbage is collected.
import { join } from 'node:path';
import type { Part } from '#test/story/part';

/** Arguments of node under which a process can be asked to collect. */
export const COLLECTING: readonly string[] = [
  '--expose-gc',
  '--import',
  join(import.meta.dirname, 'collect-process.ts'),
];

export class Memory {
  readonly #part: Part;
  #times = 0;

  constructor(part: Part) {
    this.#part = part;
  }

  /** What is resident, in bytes, and what of that is in buffers: of JavaScript, and of TLS. */
  async settled(): Promise<Pick<NodeJS.MemoryUsage, 'rss' | 'external'>> {
    this.#times += 1;
    this.#part.signal('SIGUSR2');
    const [, usage = ''] = await this.#part.said(new RegExp(`^collected ${this.#times} (.*)$`, 'm'));
    return JSON.parse(usage);
  }
}
