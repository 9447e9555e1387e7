// OpenTelemetry logs over HTTP as JSON: one log record for each event, with the whole ECS document as its body.
import { parseRecord } from '../outbox/segment.ts';
import { HttpReceiver, type HttpTarget } from './http.ts';
import { DELIVERED, type Shipment, type Sink, SinkError, type Verdict } from './sink.ts';

export interface OtlpOptions extends HttpTarget {
  readonly name: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface Facts {
  readonly '@timestamp'?: string;
  readonly event?: {
    readonly id?: string;
    readonly action?: string;
    readonly dataset?: string;
    readonly severity?: number;
  };
  readonly observer?: { readonly name?: string; readonly version?: string };
  readonly trace?: { readonly id?: string };
}

type Attribute = { readonly key: string; readonly value: { readonly stringValue: string } };

const INFO = 9;
/** Of alerts, by `event.severity`: what OpenTelemetry makes of syslog's warning, error, critical and alert. */
const ALERTS: Readonly<Record<number, number>> = { 21: 13, 47: 17, 73: 18, 99: 19 };

export class OtlpSink implements Sink {
  readonly name: string;
  readonly type = 'otlp';
  readonly #http: HttpReceiver;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: OtlpOptions) {
    this.name = options.name;
    this.#http = new HttpReceiver(options);
    this.#headers = { 'content-type': 'application/json', ...options.headers };
  }

  async deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]> {
    const records = batch.map(({ line }) => logRecord(line));
    const first = parseRecord(batch[0]?.line ?? Buffer.alloc(0)) as Facts | undefined;
    const resource = attributes({
      'service.name': 'sallyport',
      'service.instance.id': first?.observer?.name,
      'service.version': first?.observer?.version,
    });
    const body = JSON.stringify({
      resourceLogs: [{ resource: { attributes: resource }, scopeLogs: [{ logRecords: records }] }],
    });
    const { text } = await this.#http.send('/v1/logs', { headers: this.#headers, body, signal });
    const rejected = rejectedIn(text);
    if (rejected === 0) return batch.map(() => DELIVERED);
    // The answer does not say which: asking again for the parts finds out, at the price of repeats by the same id.
    throw new SinkError('batch-rejected', `the receiver rejected ${rejected} of ${batch.length} records`);
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

function logRecord(line: Buffer): unknown {
  const text = line.toString('utf8');
  const document = parseRecord(line) as Facts | undefined;
  const time = Date.parse(document?.['@timestamp'] ?? '');
  return {
    ...(Number.isNaN(time) ? {} : { timeUnixNano: `${time}000000` }),
    severityNumber: ALERTS[document?.event?.severity ?? 0] ?? INFO,
    eventName: document?.event?.action,
    body: { stringValue: text },
    attributes: attributes({ 'event.id': document?.event?.id, 'event.dataset': document?.event?.dataset }),
    traceId: document?.trace?.id,
  };
}

function attributes(pairs: Readonly<Record<string, string | undefined>>): Attribute[] {
  return Object.entries(pairs).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: { stringValue: value } }],
  );
}

function rejectedIn(text: string): number {
  if (text.trim() === '') return 0;
  try {
    const answer = JSON.parse(text) as { partialSuccess?: { rejectedLogRecords?: number | string } };
    return Number(answer.partialSuccess?.rejectedLogRecords ?? 0);
  } catch (cause) {
    throw new SinkError('unavailable', 'the answer to /v1/logs cannot be read', { cause });
  }
}
