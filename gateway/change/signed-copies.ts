// Further files that take effect only as they were signed: kept as copies in the state, which the configuration is made to
// name in the place of the files that anybody may have edited. Whoever reads such a file again reads what was signed last.
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import { writeWhole } from '#gateway/state/private-files';
import type { GovernedFile } from './governed.ts';

export class SignedCopies {
  readonly #directory: string;
  readonly #files: readonly GovernedFile[];

  constructor(state: string, files: readonly GovernedFile[]) {
    this.#directory = join(state, 'changes', 'files');
    this.#files = files;
  }

  /** Writes the copies of a change that was accepted. */
  write(contents: Readonly<Record<string, string>>): void {
    if (this.#files.length > 0) mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const { name } of this.#files) {
      const path = this.#copyOf(name);
      const content = contents[name] ?? '';
      if (!existsSync(path) || readFileSync(path, 'utf8') !== content) writeWhole(path, content);
    }
  }

  /** The configuration with the copies in the place of their files. */
  redirect(config: GatewayConfig): GatewayConfig {
    const copies = new Map(this.#files.map(({ name, path }) => [path, this.#copyOf(name)]));
    const { changes, ...rest } = config;
    return { ...(replaced(rest, copies) as typeof rest), changes };
  }

  /** Named by hash, since names have folders; it keeps its end, by which some are told apart. */
  #copyOf(name: string): string {
    const [end = ''] = /\.[a-z0-9]{1,8}$/.exec(name) ?? [];
    return join(this.#directory, `${hash('sha256', name, 'hex').slice(0, 32)}${end}`);
  }
}

function replaced(value: unknown, copies: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return copies.get(value) ?? value;
  if (Array.isArray(value)) return value.map((one) => replaced(one, copies));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, replaced(one, copies)]));
}
