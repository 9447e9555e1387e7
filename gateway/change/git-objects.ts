// Git's own objects, by which a commit's id vouches for the content of a file in it: commit, trees on the way, blob.
// They come with a change, so that a gateway can check it without reaching the repository.
import { hash } from 'node:crypto';
import { SshFormatError } from './ssh-reader.ts';
import { readSshSignature, type SshSignature } from './sshsig.ts';

/** A hash is SHA-1 or, in repositories of that format, SHA-256: told by the length of the commit's id. */
export const COMMIT_ID: RegExp = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** Git's purpose of the signatures on commits. */
export const GIT_NAMESPACE = 'git';

export class GitObjects {
  readonly #commit: string;
  readonly #algorithm: 'sha1' | 'sha256';
  readonly #byId = new Map<string, Buffer>();

  /** `objects`: contents of the commit and of trees, in any order; each is known by its hash alone. */
  constructor(commit: string, objects: readonly Buffer[]) {
    this.#commit = commit;
    this.#algorithm = commit.length === 40 ? 'sha1' : 'sha256';
    for (const content of objects) {
      this.#byId.set(this.#idOf('commit', content), content);
      this.#byId.set(this.#idOf('tree', content), content);
    }
  }

  /** The commit's own text; undefined if it did not come with the change. */
  get commit(): Buffer | undefined {
    return this.#byId.get(this.#commit);
  }

  /** Whether the commit names `author`, like `Ada <ada@example.com>`. */
  isBy(author: string): boolean {
    const head = this.commit?.toString('utf8').split('\n\n', 1)[0] ?? '';
    return head.split('\n').some((line) => line.startsWith(`author ${author} `));
  }

  /** Whether the file at `path` in the commit is `content`. */
  holds(path: string, content: Buffer): boolean {
    const tree = /^tree ([0-9a-f]+)\n/.exec(this.commit?.toString('latin1') ?? '')?.[1];
    let id = tree;
    for (const name of path.split('/')) id = id === undefined ? undefined : this.#entry(id, name);
    return id === this.#idOf('blob', content);
  }

  #idOf(kind: string, content: Buffer): string {
    return hash(this.#algorithm, Buffer.concat([Buffer.from(`${kind} ${content.length}\0`), content]), 'hex');
  }

  /** The id of one entry of a tree. */
  #entry(tree: string, wanted: string): string | undefined {
    const bytes = this.#byId.get(tree);
    const width = this.#commit.length / 2;
    for (let at = 0; bytes !== undefined && at < bytes.length; ) {
      const end = bytes.indexOf(0, at);
      const name = bytes.toString('utf8', bytes.indexOf(0x20, at) + 1, end);
      if (end === -1) return undefined;
      if (name === wanted) return bytes.toString('hex', end + 1, end + 1 + width);
      at = end + 1 + width;
    }
    return undefined;
  }
}

/** The SSH signature on a commit and what it was made over; undefined if there is none that can be read. */
export function commitSignature(commit: Buffer): { signature: SshSignature; message: Buffer } | undefined {
  const text = commit.toString('latin1');
  const head = text.slice(0, text.indexOf('\n\n') + 1);
  const field = /^gpgsig(?:-sha256)? (.*\n(?: .*\n)*)/m.exec(head);
  if (field === null) return undefined;
  try {
    const signature = readSshSignature((field[1] ?? '').replace(/\n /g, '\n'));
    const message = text.slice(0, field.index) + text.slice(field.index + field[0].length);
    return { signature, message: Buffer.from(message, 'latin1') };
  } catch (error) {
    if (error instanceof SshFormatError) return undefined;
    throw error;
  }
}
