// The policy in force: loaded from its file, kept when a new one is bad, and copied by hash so that any decision
// can be explained later. It must never leave the gateway without a policy that was checked whole.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followFile } from '#gateway/followed-file';
import { readRegular } from '#gateway/regular-file';
import { writeWhole } from '#gateway/state/private-files';
import { formatProblems, MAX_DOCUMENT_BYTES } from '#policy/document';
import { PolicyHolder } from '#policy/holder';
import type { Policy } from '#policy/load';
import { loadPolicyOffThread } from '#policy/loader/off-thread';
import { documentHash } from '#policy/policy';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import { describeError } from '#siem/system-error';

/** How often the file is looked at for a change, in milliseconds. */
const WATCH_INTERVAL = 250;
/** How long after one that could not be taken up, or told of, as on a full disk, the file is looked at again. */
const RETRY_AFTER = 2_000;
/** Beside the copies: the hash of the policy that was in force last. */
const LAST = 'last';
const BY_GATEWAY: Actor = { kind: 'gateway', id: 'policy-file' };

/** The first policy of a process did not load: it must not start. `message` lists every problem. */
export class PolicyFileError extends Error {
  readonly code = 'policy-rejected';
}

export interface PolicyFileOptions {
  readonly file: string;
  /** State directory; copies go to `policies/<hash>.yaml` in it. */
  readonly state: string;
  readonly recorder: Recorder;
  /** Called after a new policy took effect. */
  readonly onSwap: () => void;
  /** Where only what was signed is taken: an edit of the file is told of, and has no effect. */
  readonly signed?: SignedPolicy | undefined;
}

export interface SignedPolicy {
  /** The text that was signed. */
  readonly policy: string;
  /** Why `found`, which lies in `file`, is not it; tells of it as well. */
  compare(name: 'policy', file: string, found: string): Promise<Error | undefined>;
}

export class PolicyFile {
  readonly #options: PolicyFileOptions;
  readonly #holder: PolicyHolder;
  /** The document that was rejected last, or why there was none. */
  #rejected: string | undefined;
  #unfollow: () => void = () => undefined;
  #lastLook: Promise<readonly string[]> = Promise.resolve([]);
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: PolicyFileOptions, policy: Policy) {
    this.#options = options;
    this.#holder = new PolicyHolder(policy);
    this.#holder.subscribe(options.onSwap);
  }

  /** Loads the policy a gateway starts with. Throws PolicyFileError. */
  static async open(options: PolicyFileOptions): Promise<PolicyFile> {
    const text = options.signed?.policy ?? readPolicyText(options.file);
    const loading = await loadPolicyOffThread(text, options.file);
    if (!loading.ok) throw new PolicyFileError(formatProblems(loading.problems));
    const policyFile = new PolicyFile(options, loading.policy);
    const before = lastHash(options.state);
    // A start with what was in force is no change; with another document it is one.
    await policyFile.#keep(text, loading.policy, before === loading.policy.hash ? undefined : before);
    if (options.signed !== undefined) await policyFile.reload();
    return policyFile;
  }

  get current(): Policy {
    return this.#holder.current;
  }

  /** Follows the file: a change is taken up within half a second or so. */
  watch(): void {
    const { file } = this.#options;
    this.#unfollow = followFile(file, {
      every: WATCH_INTERVAL,
      changed: () => this.reload(),
      missed: () => this.#isOther(file) && this.reload(),
    });
  }

  close(): void {
    this.#closed = true;
    this.#unfollow();
    clearTimeout(this.#retry);
  }

  #isOther(file: string): boolean {
    try {
      return documentHash(readRegular(file, MAX_DOCUMENT_BYTES)) !== this.current.hash;
    } catch {
      // Gone for a moment; the watch looks again when it is there.
      return false;
    }
  }

  /** Puts in force what was signed, as it is now. Rejects if it could not be recorded. */
  async adopt({ policy: text }: SignedPolicy): Promise<void> {
    const { file } = this.#options;
    const previous = this.current.hash;
    const loading = await this.#holder.offer(text, file, (policy) => this.#keep(text, policy, previous));
    if (!loading.ok) throw new PolicyFileError(formatProblems(loading.problems));
  }

  /**
   * Takes up the file as it is now, or keeps what is in force. Returns the problems, none if it was good; when somebody
   * else looked at the file meanwhile, once that has come to its end too: only the last look decides.
   */
  async reload(): Promise<readonly string[]> {
    let look = this.#look();
    this.#lastLook = look;
    let problems = await look;
    while (look !== this.#lastLook) {
      look = this.#lastLook;
      problems = await look;
    }
    return problems;
  }

  /** Offers a document that is not in the file, for drills; the problems. What comes of it is recorded as ever. */
  rehearse(text: string): Promise<readonly string[]> {
    return this.#offer(() => text);
  }

  async #look(): Promise<readonly string[]> {
    const { file, signed } = this.#options;
    if (signed === undefined) return this.#offer(() => readRegular(file, MAX_DOCUMENT_BYTES));
    try {
      const found = readRegular(file, MAX_DOCUMENT_BYTES);
      await this.adopt(signed);
      const refusal = await signed.compare('policy', file, found);
      return refusal === undefined ? [] : [`${file}: not taken up: ${refusal.message}`];
    } catch (error) {
      this.#lookAgain();
      return this.#refuse([notTakenUp(file, error)]);
    }
  }

  async #offer(read: () => string): Promise<readonly string[]> {
    const { file } = this.#options;
    let text: string | undefined;
    try {
      const found = read();
      text = found;
      const previous = this.current.hash;
      const loading = await this.#holder.offer(found, file, (policy) => this.#keep(found, policy, previous));
      if (!loading.ok) return this.#refuse(formatProblems(loading.problems).split('\n'), found);
      this.#rejected = undefined;
      return [];
    } catch (error) {
      // Also an editor that replaces the file leaves a moment without one.
      this.#lookAgain();
      return this.#refuse([notTakenUp(file, error)], text);
    }
  }

  /** Records that nothing was taken up, and why. */
  async #refuse(problems: readonly string[], text?: string): Promise<readonly string[]> {
    const { file, recorder } = this.#options;
    const keptHash = this.current.hash;
    // A signal and the watch both look at the same file: what was rejected already is no news.
    const rejected = text ?? problems.join('\n');
    if (rejected === this.#rejected) return problems;
    this.#rejected = rejected;
    const event = { kind: 'policy-rejected', file, problems, keptHash, by: BY_GATEWAY } as const;
    await recorder.record(event).catch(() => {
      this.#rejected = undefined;
      this.#lookAgain();
    });
    return problems;
  }

  /** The watch tells of a change once. */
  #lookAgain(): void {
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => void this.reload(), RETRY_AFTER).unref();
  }

  /** Copies and records a policy for good, before it takes effect. */
  async #keep(text: string, policy: Policy, previousHash: string | undefined): Promise<void> {
    const { state, file, recorder } = this.#options;
    const directory = join(state, 'policies');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const copy = join(directory, `${policy.hash}.yaml`);
    if (!existsSync(copy)) writeWhole(copy, text);
    const { hash, compiled } = policy;
    const rules = compiled.rules.length;
    await recorder.record(
      { kind: 'policy-loaded', file, hash, previousHash, rules, by: BY_GATEWAY },
      { durable: true },
    );
    try {
      writeWhole(join(directory, LAST), hash);
    } catch {
      // It is recorded, and in force: the next start tells of it once more.
    }
  }
}

/** Of the policy that this gateway went by last; undefined at its first start. */
function lastHash(state: string): string | undefined {
  try {
    const hash = readFileSync(join(state, 'policies', LAST), 'utf8');
    return /^[0-9a-f]{64}$/.test(hash) ? hash : undefined;
  } catch {
    return undefined;
  }
}

function readPolicyText(file: string): string {
  try {
    return readRegular(file, MAX_DOCUMENT_BYTES);
  } catch (error) {
    throw new PolicyFileError(describeError(error, file), { cause: error });
  }
}

function notTakenUp(file: string, error: unknown): string {
  return describeError(error, `${file}: not taken up`);
}
