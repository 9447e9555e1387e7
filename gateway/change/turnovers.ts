// Changes that put other signers in the place of those before, kept where all workers of a gateway find them: a worker that
// was away takes them up one after the other, since what came later is signed by people whom it does not know yet. Each is
// judged like any other, so nobody needs to trust what lies there.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '#gateway/state/private-files';
import { type Change, writeBundle } from './bundle.ts';

export class Turnovers {
  readonly #directory: string;

  /** `directory`: of the gateway, which its workers have in common. */
  constructor(directory: string) {
    this.#directory = join(directory, 'changes', 'turnovers');
  }

  keep({ statement, bundle }: Change): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeWhole(this.#path(statement.sequence), writeBundle(bundle));
  }

  /** Texts of those with numbers between two, in their order. */
  between(after: number, before: number): readonly string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .flatMap((name) => (/^[1-9]\d{0,15}\.json$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .filter((sequence) => sequence > after && sequence < before)
      .sort((a, b) => a - b)
      .map((sequence) => readFileSync(this.#path(sequence), 'utf8'));
  }

  #path(sequence: number): string {
    return join(this.#directory, `${sequence}.json`);
  }
}
