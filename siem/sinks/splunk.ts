// Splunk's HTTP Event Collector. With acknowledgement, a batch counts only once the indexer says it has it.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRecord } from '../outbox/segment.ts';
import { HttpReceiver, type HttpTarget } from './http.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, type Verdict } from './sink.ts';

export interface SplunkOptions extends HttpTarget {
  readonly name: string;
  readonly token: string;
  readonly index?: string | undefined;
  /** The token has indexer acknowledgement switched on. */
  readonly acknowledge: boolean;
  readonly pollMs?: number | undefined;
}

/** Splunk gives up an acknowledgement after some minutes; sooner, the batch is sent again. */
const ACK_POLLS = 60;

export class SplunkSink implements Sink {
  readonly name: string;
  readonly type = 'splunk';
  readonly #http: HttpReceiver;
  readonly #options: SplunkOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: SplunkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#http = new HttpReceiver(options);
    this.#headers = {
      authorization: `Splunk ${options.token}`,
      'content-type': 'application/json',
      // Acknowledgements are counted per channel.
      'x-splunk-request-channel': randomUUID(),
    };
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const body = batch.map(({ line }) => this.#wrap(line)).join('\n');
    const { text } = await this.#http.send('/services/collector/event', {
      headers: this.#headers,
      body,
      signal,
    });
    if (this.#options.acknowledge) await this.#acknowledged(ackOf(text), signal);
    return batch.map(() => DELIVERED);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  #wrap(line: Buffer): string {
    const time = Date.parse(
      (parseRecord(line) as { '@timestamp'?: string } | undefined)?.['@timestamp'] ?? '',
    );
    const about = {
      ...(Number.isNaN(time) ? {} : { time: time / 1000 }),
      source: 'sallyport',
      sourcetype: 'sallyport:ecs',
      ...(this.#options.index === undefined ? {} : { index: this.#options.index }),
    };
    return `${JSON.stringify(about).slice(0, -1)},"event":${line.toString('utf8')}}`;
  }

  async #acknowledged(ack: number, signal: AbortSignal): Promise<void> {
    for (let poll = 0; poll < ACK_POLLS; poll++) {
      const body = JSON.stringify({ acks: [ack] });
      const { text } = await this.#http.send('/services/collector/ack', {
        headers: this.#headers,
        body,
        signal,
        // That the question is not taken says nothing about the records.
        accept: [400],
      });
      if (isAcknowledged(text, ack)) return;
      await sleep(this.#options.pollMs ?? 1_000, undefined, { signal });
    }
    throw new SinkError('unavailable', `the indexer did not acknowledge within ${ACK_POLLS} polls`);
  }
}

function ackOf(text: string): number {
  const { ackId } = readAnswer(text) as { ackId?: number };
  if (typeof ackId === 'number') return ackId;
  throw new SinkError('refused', 'no acknowledgement id: switch on indexer acknowledgement for this token');
}

function isAcknowledged(text: string, ack: number): boolean {
  return (readAnswer(text) as { acks?: Record<string, boolean> }).acks?.[String(ack)] === true;
}

function readAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SinkError('unavailable', 'the answer of the collector cannot be read', { cause });
  }
}
