// A copy of the repository in which one mistake at a time is planted, and the test files that are run against it there.
import { spawn } from 'node:child_process';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

export const ROOT: string = resolve(import.meta.dirname, '../..');
const LEFT_OUT = new Set(['node_modules', '.git', 'dist', '.sallyport', 'screenshots']);

/** A change of a file's text: what it replaces must stand exactly once in it. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Throws where the text to be replaced stands there not once. */
export function changed({ file, find, replace }: Change): string {
  const original = readFileSync(join(ROOT, file), 'utf8');
  if (original.split(find).length !== 2) throw new Error(`${file} does not hold exactly once: ${find}`);
  return original.replace(find, () => replace);
}

/** Test files by what a list says: a file or a folder below test/. */
export function testFiles(names: readonly string[]): string[] {
  return names.flatMap((name) =>
    name.endsWith('.test.ts')
      ? name
      : globSync('**/*.test.ts', { cwd: join(ROOT, 'test', name) }).map((file) => join(name, file)),
  );
}

export class Copy {
  readonly #place = mkdtempSync(join(tmpdir(), 'mutants-'));
  readonly #root = join(this.#place, 'repository');
  readonly #env: NodeJS.ProcessEnv;

  /** `changes`: what is different in every run here. */
  constructor(env: Readonly<Record<string, string>>, changes: readonly Change[]) {
    cpSync(ROOT, this.#root, { recursive: true, filter: (source) => !LEFT_OUT.has(basename(source)) });
    symlinkSync(join(ROOT, 'node_modules'), join(this.#root, 'node_modules'));
    for (const change of changes) writeFileSync(join(this.#root, change.file), changed(change));
    // What was compiled once is not compiled again by the next process.
    const cache = join(this.#place, 'compiled');
    this.#env = { ...process.env, ...env, TMPDIR: join(this.#place, 'tmp'), NODE_COMPILE_CACHE: cache };
  }

  remove(): void {
    rmSync(this.#place, { recursive: true, force: true });
  }

  /** While `work` goes on, `file` reads `source`. */
  async planted<T>(file: string, source: string, work: () => Promise<T>): Promise<T> {
    const path = join(this.#root, file);
    const original = readFileSync(path, 'utf8');
    writeFileSync(path, source);
    try {
      return await work();
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Whether a test file passes within `patience` milliseconds, up to its first failure. */
  async passes(file: string, patience: number): Promise<boolean> {
    const scratch = String(this.#env['TMPDIR']);
    mkdirSync(scratch, { recursive: true });
    const reporter = join(this.#root, 'test/mutants/first-failure.ts');
    const child = spawn(process.execPath, [`--test-reporter=${reporter}`, join('test', file)], {
      cwd: this.#root,
      stdio: 'ignore',
      detached: true,
      env: this.#env,
    });
    const { pid } = child;
    // Whatever a test started is of its group, and ends with it.
    const end = (): void => {
      try {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      } catch {
        // There was nobody left.
      }
    };
    const timer = setTimeout(end, patience);
    const code = await new Promise<number | null>((done) => {
      child.once('exit', done);
      child.once('error', () => done(null));
    });
    clearTimeout(timer);
    end();
    rmSync(scratch, { recursive: true, force: true });
    return code === 0;
  }
}
