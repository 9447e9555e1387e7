// Takes up changes that authorised people signed, one after the other, and notices edits that nobody signed. Whatever it
// refuses is an alert, and leaves what is in force as it is; what it accepts is in the transparency log first.
import { existsSync, readFileSync } from 'node:fs';
import { type GatewayConfig, gatewaySchema } from '#gateway/config';
import { followFile } from '#gateway/followed-file';
import { readRegular } from '#gateway/regular-file';
import { directoryOfAll } from '#gateway/workers/share';
import { readDocument } from '#policy/document';
import type { ChangeRef } from '#siem/change-event';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import { describeError } from '#siem/system-error';
import type { AcceptedChanges } from './accepted.ts';
import { type Change, MAX_BUNDLE, readChange } from './bundle.ts';
import { checkContents } from './contents.ts';
import { configurationName, furtherFiles, governedFiles, termsOf } from './governed.ts';
import { type InForce, judge, type Terms } from './judge.ts';
import { ChangeRefusal } from './reasons.ts';
import { SignedCopies } from './signed-copies.ts';
import { Turnovers } from './turnovers.ts';

/** How often the file for changes is looked at, in milliseconds. */
const WATCH_INTERVAL = 1_000;
/** What could not be recorded is looked at again after so many milliseconds. */
const RETRY_AFTER = 2_000;
const BY_GATEWAY: Actor = { kind: 'gateway', id: 'changes' };

/** The configuration document as it was read. */
export interface ConfigurationFile {
  readonly file: string;
  readonly text: string;
}

export interface ChangesOptions {
  readonly config: GatewayConfig;
  readonly configuration: ConfigurationFile;
  readonly accepted: AcceptedChanges;
  readonly recorder: Recorder;
  readonly now: () => number;
}

export interface Taken {
  readonly id: string;
  readonly sequence: number;
  readonly signers: readonly string[];
  /** Whether the configuration is another than the running one. */
  readonly restart: boolean;
}

export class Changes {
  readonly #options: ChangesOptions;
  readonly #copies: SignedCopies;
  readonly #turnovers: Turnovers;
  #signers: string;
  /** Puts the policy of a new change in force. */
  #adopt: () => Promise<unknown> = async () => undefined;
  /** Changes are judged one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** What was refused as it lay on the disk: told once. */
  readonly #told = new Map<string, string>();
  readonly #followed: (() => void)[] = [];

  private constructor(options: ChangesOptions, signers: string) {
    this.#options = options;
    const { config, configuration } = options;
    this.#copies = new SignedCopies(config.state, furtherFiles(config, configuration.file));
    this.#turnovers = new Turnovers(directoryOfAll(config));
    this.#signers = signers;
  }

  /**
   * Takes up a change that lies ready, and makes sure that the configuration is the one that was signed. Throws
   * ChangeRefusal if nothing that was signed can be in force, and SignersError.
   */
  static async open(options: ChangesOptions): Promise<Changes> {
    const { accepted, config } = options;
    const signers =
      accepted.current?.bundle.contents['signers'] ?? readFileSync(placeOf(config).signers, 'utf8');
    const changes = new Changes(options, signers);
    if (accepted.current === undefined) await changes.#offerFirst();
    else await changes.#look();
    await changes.#checkFiles();
    changes.#copies.write(accepted.current?.bundle.contents ?? {});
    return changes;
  }

  get current(): InForce | undefined {
    const { current } = this.#options.accepted;
    return current && { id: current.id, sequence: current.statement.sequence };
  }

  /** The configuration, with what was signed in the place of files that anybody may have edited. */
  get config(): GatewayConfig {
    return this.#copies.redirect(this.#options.config);
  }

  /** As configured, but held to what was signed since: a configuration waits for the next start, its threshold does not. */
  get #terms(): Terms {
    const { config, configuration, accepted } = this.#options;
    const terms = termsOf(config, configuration.file, this.#signers);
    const signed = accepted.current?.bundle.contents[configurationName(config)];
    if (signed === undefined || signed === configuration.text) return terms;
    const next = readDocument(gatewaySchema, signed, configuration.file);
    const asked = next.ok ? (next.value.changes?.threshold ?? 0) : 0;
    return { ...terms, threshold: Math.max(terms.threshold, asked) };
  }

  /** Text of the list of admins that was signed. */
  get admins(): string | undefined {
    return this.#options.accepted.current?.bundle.contents['admins'];
  }

  /** Text of the policy that was signed. */
  get policy(): string {
    return this.#options.accepted.current?.bundle.contents['policy'] ?? '';
  }

  /** Follows the file for changes. `adopt` puts the policy of an accepted change in force. */
  watch(adopt: () => Promise<unknown>): void {
    this.#adopt = adopt;
    const { config, configuration } = this.#options;
    this.#follow(placeOf(config).bundle, () => this.#look());
    for (const { name, path } of governedFiles(config, configuration.file)) {
      // The policy's own file has its reader elsewhere.
      if (name !== 'policy') this.#follow(path, () => this.#notice(name, path));
    }
  }

  close(): void {
    for (const stop of this.#followed.splice(0)) stop();
  }

  #follow(path: string, look: () => Promise<unknown>): void {
    this.#followed.push(followFile(path, { every: WATCH_INTERVAL, changed: look, missed: look }));
  }

  /** Whoever edits what needs a signature is told of before the next start does not take it. */
  async #notice(name: string, path: string): Promise<void> {
    try {
      await this.compare(name, path, readRegular(path, MAX_BUNDLE));
    } catch {
      // Gone for a moment, or not to be recorded now: the next look or the next start says it.
    }
  }

  /** Takes up a change, or throws ChangeRefusal after it was recorded. */
  offer(text: string, by: Actor): Promise<Taken> {
    const taken = this.#last.then(() => this.#take(text, by));
    this.#last = taken.catch(() => undefined);
    return taken;
  }

  /** Compares a file's content with what was signed as `name`; the refusal if it is not that, told once. */
  async compare(name: string, file: string, found: string): Promise<ChangeRefusal | undefined> {
    if (found === this.#options.accepted.current?.bundle.contents[name]) {
      this.#told.delete(file);
      return undefined;
    }
    const refusal = new ChangeRefusal(
      'unsigned',
      `${file} is not as change ${this.current?.sequence} has it; \`sallyport change apply\` of that change puts it there`,
    );
    if (this.#told.get(file) !== found) {
      this.#told.set(file, found);
      await this.#recordRefusal(refusal, BY_GATEWAY, { file });
    }
    return refusal;
  }

  /** Of several workers one may have been away while others took up what this one needs first. */
  async #take(text: string, by: Actor, file?: string): Promise<Taken> {
    for (const missed of this.#missedBefore(text)) {
      try {
        await this.#takeUp(missed, BY_GATEWAY);
      } catch (error) {
        if (!(error instanceof ChangeRefusal)) throw error;
      }
    }
    return this.#takeUp(text, by, file);
  }

  #missedBefore(text: string): readonly string[] {
    if (this.current === undefined) return [];
    try {
      return this.#turnovers.between(this.current.sequence, readChange(text).statement.sequence);
    } catch (error) {
      if (error instanceof ChangeRefusal) return [];
      throw error;
    }
  }

  async #takeUp(text: string, by: Actor, file?: string): Promise<Taken> {
    const { accepted, config, configuration, recorder, now } = this.#options;
    let change: Change | undefined;
    let signers: readonly string[];
    try {
      change = readChange(text);
      signers = judge(change, this.#terms, this.current, now());
      const own = { name: configurationName(config), path: configuration.file };
      await checkContents(change.bundle, own, now());
    } catch (error) {
      if (error instanceof ChangeRefusal) await this.#recordRefusal(error, by, { change, file });
      throw error;
    }
    const { id, bundle, statement } = change;
    const previous = this.current?.id;
    const files = Object.fromEntries(
      Object.entries(statement.files).map(([name, { sha256 }]) => [name, sha256]),
    );
    const event = { kind: 'change-accepted', change: refOf(change), previous, signers, files, by } as const;
    await accepted.keep(change, () => recorder.record(event, { durable: true }));
    const signersNow = bundle.contents['signers'] ?? this.#signers;
    if (config.worker !== undefined && signersNow !== this.#signers) this.#turnovers.keep(change);
    this.#signers = signersNow;
    this.#copies.write(bundle.contents);
    await this.#adopt();
    const restart = bundle.contents[configurationName(config)] !== configuration.text;
    return { id, sequence: statement.sequence, signers, restart };
  }

  /** Takes up what lies where changes are put; what is in force already is no news. */
  async #look(): Promise<void> {
    const { bundle: file } = placeOf(this.#options.config);
    let text: string;
    try {
      text = readRegular(file, MAX_BUNDLE);
    } catch (error) {
      // Whoever replaces the file leaves a moment without one; the watch looks again when it is there.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      const refusal = new ChangeRefusal('malformed', describeError(error, file));
      if (this.#told.get(file) === refusal.message) return;
      this.#told.set(file, refusal.message);
      await this.#recordRefusal(refusal, BY_GATEWAY, { file }).catch(() => undefined);
      return;
    }
    if (this.#told.get(file) === text || this.#isInForce(text)) return;
    this.#told.set(file, text);
    const taken = this.#last.then(() => this.#take(text, BY_GATEWAY, file));
    this.#last = taken.catch((error: unknown) => {
      if (error instanceof ChangeRefusal) return;
      // It could not be recorded, which says nothing of the change.
      this.#told.delete(file);
      setTimeout(() => void this.#look(), RETRY_AFTER).unref();
    });
    await this.#last;
  }

  #isInForce(text: string): boolean {
    try {
      return readChange(text).id === this.current?.id;
    } catch {
      return false;
    }
  }

  /** Nothing was ever accepted: what lies ready must be, or the gateway has nothing to go by. */
  async #offerFirst(): Promise<void> {
    const { bundle: file } = placeOf(this.#options.config);
    if (!existsSync(file)) {
      const refusal = new ChangeRefusal('unsigned', `there is no ${file}, and none was ever accepted`);
      await this.#recordRefusal(refusal, BY_GATEWAY, { file });
      throw refusal;
    }
    await this.offer(readRegular(file, MAX_BUNDLE), BY_GATEWAY);
  }

  /** All else is taken from the change; the configuration was read already, so it must be the same. */
  async #checkFiles(): Promise<void> {
    const { config, configuration } = this.#options;
    for (const { name, path } of governedFiles(config, configuration.file)) {
      if (name !== 'policy' && path !== configuration.file) await this.#notice(name, path);
    }
    const refusal = await this.compare(configurationName(config), configuration.file, configuration.text);
    if (refusal !== undefined) throw refusal;
  }

  async #recordRefusal(
    refusal: ChangeRefusal,
    by: Actor,
    { change, file }: { change?: Change | undefined; file?: string | undefined },
  ): Promise<void> {
    const { code, message } = refusal;
    const event = { kind: 'change-refused', code, message, by, kept: this.current?.id } as const;
    await this.#options.recorder.record(
      { ...event, change: change && refOf(change), file },
      { durable: true },
    );
  }
}

function placeOf({ changes }: GatewayConfig): { bundle: string; signers: string } {
  if (changes === undefined) throw new Error('the configuration has no `changes`');
  return changes;
}

function refOf({ id, statement }: Change): ChangeRef {
  const { sequence, repository, branch, commit, author, subject } = statement;
  return { id, sequence, repository, branch, commit, author, subject };
}
