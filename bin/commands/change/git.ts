// Asks git what a change is made from: the repository, the commit, the files in it and the objects that prove them.
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname, relative } from 'node:path';

/** Git is missing, or says no. `message` says what was asked. */
export class GitError extends Error {
  readonly code = 'git';
}

export class Git {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** The repository that `file` lies in. Throws GitError. */
  static around(file: string): Git {
    const found = new Git(dirname(realpathSync(file)));
    return new Git(found.#text('rev-parse', '--show-toplevel'));
  }

  get commit(): string {
    return this.#text('rev-parse', 'HEAD');
  }

  get branch(): string {
    return this.#text('symbolic-ref', '--short', 'HEAD');
  }

  get author(): string {
    return this.#text('show', '-s', '--format=%an <%ae>', 'HEAD');
  }

  get subject(): string {
    return this.#text('show', '-s', '--format=%s', 'HEAD');
  }

  /** The URL of `origin`, without what might be a password in it. */
  get repository(): string {
    return this.#text('remote', 'get-url', 'origin').replace(/^([a-z+]+:\/\/)[^/@]*@/, '$1');
  }

  /** Path of a file in the repository, with `/`. */
  pathOf(file: string): string {
    return relative(this.#directory, realpathSync(file)).replaceAll('\\', '/');
  }

  /** Content of a file in `commit`. Throws GitError if it is not in it. */
  file(commit: string, path: string): Buffer {
    return this.#bytes('cat-file', 'blob', `${commit}:${path}`);
  }

  /** The commit, and the trees on the way to each of `paths`. */
  objects(commit: string, paths: readonly string[]): Buffer[] {
    const folders = new Set(
      paths.flatMap((path) => {
        const names = path.split('/').slice(0, -1);
        return ['', ...names.map((_, index) => names.slice(0, index + 1).join('/'))];
      }),
    );
    const trees = [...folders].map((folder) => this.#bytes('cat-file', 'tree', `${commit}:${folder}`));
    return [this.#bytes('cat-file', 'commit', commit), ...trees];
  }

  #text(...args: readonly string[]): string {
    return this.#bytes(...args)
      .toString('utf8')
      .trim();
  }

  #bytes(...args: readonly string[]): Buffer {
    const { status, stdout, stderr, error } = spawnSync('git', ['-C', this.#directory, ...args], {
      maxBuffer: 2 ** 26,
    });
    if (error !== undefined) throw new GitError(`git cannot be run: ${error.message}`);
    if (status !== 0) throw new GitError(`git ${args.join(' ')}: ${stderr.toString('utf8').trim()}`);
    return stdout;
  }
}
