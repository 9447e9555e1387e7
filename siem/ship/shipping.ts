// Ships the outbox to every configured sink, each at its own pace, and keeps of it what the slowest still needs.
import { closeSync, openSync, readSync } from 'node:fs';
import type { SiemConfig } from '../config.ts';
import type { SinkStanding } from '../gateway-event.ts';
import type { Log } from '../log.ts';
import { listSegments, type Position, segmentPath } from '../outbox/segment.ts';
import { createSink } from '../sinks/create.ts';
import { type Sink, SinkError } from '../sinks/sink.ts';
import { Shipper, type Source } from './shipper.ts';

/** What shipping needs of the outbox. */
export interface KeepingSource extends Source {
  keepFrom(reader: string, segment: number): void;
}

export interface Shipping {
  /** For heartbeats, metrics and `siem status`. */
  standings(): SinkStanding[];
  /** Nothing is delivered from now on, as if no receiver could be reached, or it is again; for drills. */
  withhold(yes: boolean): void;
  stop(): Promise<void>;
}

export interface Surroundings {
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Throws CredentialError for a sink that cannot work as configured; nothing is started then. */
export function startShipping(outbox: KeepingSource, config: SiemConfig, around: Surroundings): Shipping {
  const { log, now, random } = around;
  let withheld = false;
  const sinks = config.sinks.map((one) => rehearsable(createSink(one, now), () => withheld));
  const shippers = sinks.map((sink) => new Shipper({ outbox, sink, log, now, random, onProgress: keep }));
  keep();
  for (const shipper of shippers) shipper.start();
  return {
    standings: () => shippers.map((shipper) => standingOf(shipper, outbox, now)),
    withhold: (yes) => {
      withheld = yes;
    },
    stop: async () => {
      await Promise.all(shippers.map((shipper) => shipper.stop()));
    },
  };

  function keep(): void {
    // Without a sink nothing is needed for long: the quota alone says how far back the outbox reaches.
    for (const { sink, cursor } of shippers) outbox.keepFrom(`sink ${sink.name}`, cursor.position.segment);
  }
}

/** The same sink, that cannot be reached while `gone`. */
function rehearsable(sink: Sink, gone: () => boolean): Sink {
  return {
    name: sink.name,
    type: sink.type,
    deliver: async (batch, signal) => {
      if (gone()) throw new SinkError('unavailable', `${sink.name} cannot be reached: this is a drill`);
      return sink.deliver(batch, signal);
    },
    close: () => sink.close(),
  };
}

function standingOf(shipper: Shipper, outbox: Source, now: () => number): SinkStanding {
  const { cursor, sink } = shipper;
  const lagBytes = bytesAfter(outbox.directory, cursor.position);
  return {
    name: sink.name,
    type: sink.type,
    lagBytes,
    lagSeconds: lagSecondsAt(outbox.directory, cursor.position, now()),
    delivered: cursor.delivered,
    deadLetters: cursor.deadLetters,
    retries: shipper.retries,
    healthy: shipper.healthy,
  };
}

/** Bytes of the outbox that lie behind `position`. */
export function bytesAfter(directory: string, position: Position): number {
  return listSegments(directory).reduce((sum, { number, bytes }) => {
    if (number < position.segment) return sum;
    return sum + (number === position.segment ? Math.max(0, bytes - position.offset) : bytes);
  }, 0);
}

/** How long the oldest record after `position` has waited; 0 if nothing does. */
export function lagSecondsAt(directory: string, position: Position, now: number): number {
  const time = timeAt(directory, position);
  return time === undefined ? 0 : Math.max(0, Math.round((now - time) / 1000));
}

/** Epoch milliseconds of the record at `position`, which is the oldest that waits; undefined if it cannot be told. */
function timeAt(directory: string, position: Position): number | undefined {
  const next = listSegments(directory).find(({ number, bytes }) => {
    return number > position.segment || (number === position.segment && bytes > position.offset);
  });
  if (next === undefined) return undefined;
  const fd = openSync(segmentPath(directory, next.number), 'r');
  try {
    const start = next.number === position.segment ? position.offset : 0;
    const head = Buffer.alloc(64);
    readSync(fd, head, 0, head.length, start);
    // The timestamp is the first member of every document.
    const time = Date.parse(/^\{"@timestamp":"([^"]+)"/.exec(head.toString('latin1'))?.[1] ?? '');
    return Number.isNaN(time) ? undefined : time;
  } finally {
    closeSync(fd);
  }
}
