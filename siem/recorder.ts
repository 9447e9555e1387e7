// Records events: maps each to one ECS document and puts it in the outbox. record() must never answer for an event
// that is not kept, and whoever it rejects must deny.
import type { NumberedLine } from './ecs/document.ts';
import { Mapper, type Origin } from './ecs/mapper.ts';
import type { SallyportEvent } from './event.ts';
import { isChange, MAX_ENTRY_BYTES } from './ledger/kinds.ts';
import { OutboxError } from './outbox/error.ts';
import type { Interruption } from './outbox/troubles.ts';
import { uuid7Generator } from './uuid7.ts';

/** What the recorder needs of the outbox. */
export interface RecordKeeper {
  readonly healthy: boolean;
  append(line: NumberedLine, options?: { readonly durable?: boolean }): Promise<void>;
  takeInterruption(): Interruption | undefined;
}

/** What the recorder needs of the transparency logs. */
export interface ChangeKeeper {
  /** Answers when every change that is durable in the outbox is in the log; rejects if it cannot be. */
  committed(): Promise<void>;
}

export interface RecorderOptions {
  readonly outbox: RecordKeeper;
  /** Left out only where nothing can change. */
  readonly ledger?: ChangeKeeper;
  readonly gateway: Origin;
  /** Of the data streams: `logs-<dataset>-<namespace>`. */
  readonly namespace?: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export interface RecordOptions {
  /** A UUIDv7 from newId(), where the caller showed it to somebody before recording. */
  readonly id?: string;
  /** Answer only when the record would survive a power cut: for changes of who may do what. */
  readonly durable?: boolean;
}

export class Recorder {
  readonly #outbox: RecordKeeper;
  readonly #ledger: ChangeKeeper | undefined;
  readonly #mapper: Mapper;
  readonly #now: () => number;
  /** Makes ids for events and decisions: UUIDv7, increasing. */
  readonly newId: () => string;

  constructor(options: RecorderOptions) {
    this.#outbox = options.outbox;
    this.#ledger = options.ledger;
    this.#mapper = new Mapper(options.gateway, options.namespace);
    this.#now = options.now;
    this.newId = uuid7Generator(options.now);
  }

  /** Whether records are being kept: a gateway whose recorder is not healthy is not ready. */
  get healthy(): boolean {
    return this.#outbox.healthy;
  }

  /**
   * Answers the event's id once it is kept; of a change, once it is in the transparency log too. Rejects with
   * OutboxError or LedgerError if it is not.
   */
  async record(event: SallyportEvent, options: RecordOptions = {}): Promise<string> {
    const id = options.id ?? this.newId();
    const change = isChange(event.kind);
    const durable = change || options.durable === true;
    const line = this.#mapper.line(event, id, this.#now());
    await this.#outbox.append(change ? withRoom(line) : line, { durable });
    if (change) await this.#ledger?.committed();
    const interruption = this.#outbox.takeInterruption();
    if (interruption !== undefined) await this.#reportInterruption(interruption);
    return id;
  }

  async #reportInterruption(interruption: Interruption): Promise<void> {
    const event = { kind: 'recording-interrupted', ...interruption } as const;
    // Whoever came back to a full disk at once has another interruption to report, and does it later.
    await this.#outbox.append(this.#mapper.line(event, this.newId(), this.#now())).catch(() => undefined);
  }
}

/** Once it is in the outbox, what the log has no room for would keep everything after it out of the log. */
function withRoom(line: NumberedLine): NumberedLine {
  return (sequence) => {
    const text = line(sequence);
    const length = Buffer.byteLength(text);
    if (length <= MAX_ENTRY_BYTES) return text;
    const message = `the record of this change has ${length} bytes, and the log takes ${MAX_ENTRY_BYTES}`;
    throw new OutboxError('unencodable', message);
  };
}
