// A Kafka broker with one topic of three partitions, as far as a producer sees one, that can fail on demand.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Reader, readRecordsBatch, Writer } from '@platformatic/kafka';
import { KafkaSink } from '#siem/sinks/kafka';
import type { Receiver, Trouble } from './contract.ts';

const TOPIC = 'sallyport';
const PARTITIONS = [0, 1, 2];
const NODE = 1;
const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;
const INIT_PRODUCER_ID = 22;
/** Highest version spoken here of each request: the last ones without tagged fields. */
const VERSIONS = [
  [PRODUCE, 3, 7],
  [METADATA, 1, 1],
  [API_VERSIONS, 0, 3],
  [INIT_PRODUCER_ID, 0, 1],
] as const;
const OK = 0;
const NOT_ENOUGH_REPLICAS = 19;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const INVALID_RECORD = 87;

export interface KafkaReceiver extends Receiver {
  /** Partition and key of every record taken. */
  readonly places: readonly string[];
}

function apiVersion(writer: Writer, [api, from, to]: (typeof VERSIONS)[number]): void {
  writer.appendInt16(api).appendInt16(from).appendInt16(to);
}

interface Taken {
  readonly id: string;
  readonly key: string;
}

export async function kafkaReceiver(): Promise<KafkaReceiver> {
  const ids: string[] = [];
  const places: string[] = [];
  const poisoned = new Set<string>();
  /** Next sequence by producer and partition, as brokers keep it for idempotent producers. */
  const sequences = new Map<string, number>();
  const sockets = new Set<Socket>();
  let trouble: Trouble | undefined;
  let producers = 0n;
  let port = 0;

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (trouble === 'outage') return void socket.destroy();
    let rest: Buffer = Buffer.alloc(0);
    let last = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + frame.length);
        last = last.then(() => answer(socket, frame)).catch(() => void socket.destroy());
      }
    });
  });

  async function answer(socket: Socket, frame: Buffer): Promise<void> {
    const reader = Reader.from(frame);
    const api = reader.readInt16();
    const version = reader.readInt16();
    const correlation = reader.readInt32();
    reader.readNullableString(false);
    const body = await bodyFor(api, version, reader);
    if (body === undefined) return void socket.destroy();
    const head = Buffer.alloc(8);
    head.writeInt32BE(4 + body.length, 0);
    head.writeInt32BE(correlation, 4);
    socket.write(Buffer.concat([head, body.buffer]));
  }

  async function bodyFor(api: number, version: number, reader: Reader): Promise<Writer | undefined> {
    if (api === API_VERSIONS) return apiVersions(version);
    if (api === METADATA) return metadata();
    if (api === INIT_PRODUCER_ID) {
      producers += 1n;
      return Writer.create().appendInt32(0).appendInt16(OK).appendInt64(producers).appendInt16(0);
    }
    return api === PRODUCE ? produce(reader) : undefined;
  }

  function apiVersions(version: number): Writer {
    if (version > 3) {
      // As brokers do: the answer of version 0, which says what they speak.
      return Writer.create()
        .appendInt16(35)
        .appendArray([...VERSIONS], apiVersion, false, false);
    }
    return Writer.create()
      .appendInt16(OK)
      .appendArray([...VERSIONS], apiVersion)
      .appendInt32(0)
      .appendTaggedFields();
  }

  function metadata(): Writer {
    return Writer.create()
      .appendArray(
        [NODE],
        (w) =>
          w.appendInt32(NODE).appendString('127.0.0.1', false).appendInt32(port).appendString(null, false),
        false,
        false,
      )
      .appendInt32(NODE)
      .appendArray(
        [TOPIC],
        (w, topic) =>
          w
            .appendInt16(OK)
            .appendString(topic, false)
            .appendBoolean(false)
            .appendArray(
              PARTITIONS,
              (w, index) =>
                w
                  .appendInt16(OK)
                  .appendInt32(index)
                  .appendInt32(NODE)
                  .appendArray([NODE], (w, node) => w.appendInt32(node), false, false)
                  .appendArray([NODE], (w, node) => w.appendInt32(node), false, false),
              false,
              false,
            ),
        false,
        false,
      );
  }

  async function produce(reader: Reader): Promise<Writer | undefined> {
    reader.readNullableString(false);
    if (reader.readInt16() !== -1) throw new Error('not acknowledged by all replicas');
    reader.readInt32();
    const outcomes: { readonly index: number; readonly error: number }[] = [];
    const topics = reader.readArray(
      (r) => {
        const name = r.readString(false);
        r.readArray(
          (p) => {
            const index = p.readInt32();
            const bytes = p.readBytes(false);
            outcomes.push({ index, error: take(index, bytes) });
          },
          false,
          false,
        );
        return name;
      },
      false,
      false,
    );
    if (trouble === 'slow') await sleep(100);
    if (trouble === 'answer-lost' || trouble === 'outage') return undefined;
    return Writer.create()
      .appendArray(
        topics,
        (w, name) =>
          w
            .appendString(name, false)
            .appendArray(
              outcomes,
              (w, { index, error }) =>
                w.appendInt32(index).appendInt16(error).appendInt64(0n).appendInt64(-1n).appendInt64(0n),
              false,
              false,
            ),
        false,
        false,
      )
      .appendInt32(0);
  }

  function take(index: number, bytes: Buffer): number {
    if (trouble === 'throttled') return NOT_ENOUGH_REPLICAS;
    if (trouble === 'outage') return OK;
    const batch = readRecordsBatch(Reader.from(bytes));
    const records = batch.records.map(({ key, value }): Taken => {
      const { event } = JSON.parse(String(value)) as { event: { id: string } };
      return { id: event.id, key: String(key) };
    });
    const producer = `${batch.producerId}/${index}`;
    const next = sequences.get(producer) ?? 0;
    // What this producer sent before and has no answer to is taken for good, and not once more.
    if (batch.firstSequence < next) return OK;
    if (batch.firstSequence > next) return OUT_OF_ORDER_SEQUENCE_NUMBER;
    if (records.some(({ id }) => poisoned.has(id))) return INVALID_RECORD;
    sequences.set(producer, next + records.length);
    for (const { id, key } of records) {
      ids.push(id);
      places.push(`${index} ${key}`);
    }
    return OK;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  const brokers = [`127.0.0.1:${port}`];
  return {
    places,
    sink: () => new KafkaSink({ name: 'kafka', brokers, topic: TOPIC, tls: false, timeoutMs: 2_000 }),
    ids: () => ids,
    trouble: async (kind) => {
      trouble = kind;
      if (kind === 'outage') for (const socket of sockets) socket.destroy();
    },
    poison: (id) => void poisoned.add(id),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
