// The policy in force: loaded from its file, kept when a new one is bad, and copied by hash so that any decision
// can be explained later. It must never leave the gateway without a policy that was checked whole.
import { existsSync, mkdirSync, readFileSync, unwatchFile, watchFile } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '#gateway/state/private-files';
import { formatProblems } from '#policy/document';
import { loadPolicy, type Policy } from '#policy/load';
import type { Actor } from '#siem/event';
import type { Recorder } from '#siem/recorder';

/** How often the file is looked at for a change, in milliseconds. */
const WATCH_INTERVAL = 1_000;
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
}

export class PolicyFile {
  readonly #options: PolicyFileOptions;
  #policy: Policy;

  private constructor(options: PolicyFileOptions, policy: Policy) {
    this.#options = options;
    this.#policy = policy;
  }

  /** Loads the policy a gateway starts with. Throws PolicyFileError. */
  static async open(options: PolicyFileOptions): Promise<PolicyFile> {
    const text = readFileSync(options.file, 'utf8');
    const loaded = loadPolicy(text, options.file);
    if (!loaded.ok) throw new PolicyFileError(formatProblems(loaded.problems));
    const policyFile = new PolicyFile(options, loaded.policy);
    await policyFile.#keep(text, loaded.policy, undefined);
    return policyFile;
  }

  get current(): Policy {
    return this.#policy;
  }

  /** Follows the file: a change is taken up within a second or so. */
  watch(): void {
    watchFile(this.#options.file, { interval: WATCH_INTERVAL, persistent: false }, () => void this.reload());
  }

  close(): void {
    unwatchFile(this.#options.file);
  }

  /** Takes up the file as it is now, or keeps what is in force. Returns the problems, none if it was good. */
  async reload(): Promise<readonly string[]> {
    const { file, recorder, onSwap } = this.#options;
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      // An editor that replaces the file leaves a moment without one; the next look finds it.
      return [`${file} cannot be read`];
    }
    const loaded = loadPolicy(text, file);
    if (!loaded.ok) {
      const problems = formatProblems(loaded.problems).split('\n');
      await recorder.record({
        kind: 'policy-rejected',
        file,
        problems,
        keptHash: this.#policy.hash,
        by: BY_GATEWAY,
      });
      return problems;
    }
    const previous = this.#policy;
    if (loaded.policy.hash === previous.hash) return [];
    await this.#keep(text, loaded.policy, previous.hash);
    this.#policy = loaded.policy;
    onSwap();
    return [];
  }

  /** Copies and records a policy before it takes effect. */
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
  }
}
