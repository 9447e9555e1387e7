// Events into a real Kafka broker, over TLS with SCRAM, through a kill -9 of it, and what its log then holds. Needs
// Maven and Java 17, so it is run by hand and not by the tests: node test/siem/receivers/kafka-process.ts
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, Reader, readRecordsBatch } from '@platformatic/kafka';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { Shipper } from '#siem/ship/shipper';
import { KafkaSink } from '#siem/sinks/kafka';
import { examples } from '../ecs/examples.ts';
import { makeCertificate } from '../sinks/certificate.ts';

const EVENTS = 40_000;
const TOPIC = 'sallyport';
const PASSWORD = 's3cret';
const place = mkdtempSync(join(tmpdir(), 'sallyport-kafka-'));
const [port, controller] = [await freePort(), await freePort()];
const { certificate, key } = makeCertificate(place);
cpSync(join(import.meta.dirname, 'kafka'), place, { recursive: true });
const build = { cwd: place, stdio: 'inherit' } as const;
execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], build);
writeFileSync(join(place, 'server.properties'), properties());
const user = ['--add-scram', `SCRAM-SHA-512=[name=gateway,password=${PASSWORD}]`];
const format = [
  'kafka.tools.StorageTool',
  'format',
  '-t',
  'c2FsbHlwb3J0LXRlc3QtMQ',
  '-c',
  'server.properties',
];
execFileSync('java', ['-cp', 'jars/*', ...format, ...user], { cwd: place, stdio: 'ignore' });
let broker = start();
const tls = { ca: readFileSync(certificate, 'utf8') };
const sasl = { mechanism: 'SCRAM-SHA-512', username: 'gateway', password: PASSWORD } as const;
try {
  await topicMade();
  await refusals();
  await shipThroughDeath();
} finally {
  await kill();
  rmSync(place, { recursive: true, force: true });
}

function properties(): string {
  const pem = (file: string): string => readFileSync(file, 'utf8').trim().replaceAll('\n', ' \\\n');
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}
listener.security.protocol.map=CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \\
  required username="gateway" password="${PASSWORD}";
ssl.keystore.type=PEM
ssl.keystore.certificate.chain=${pem(certificate)}
ssl.keystore.key=${pem(key)}
ssl.truststore.type=PEM
ssl.truststore.certificates=${pem(certificate)}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
log.dirs=${join(place, 'data')}
`;
}

function start(): ChildProcess {
  return spawn('java', ['-Xmx512m', '-cp', 'jars/*', 'kafka.Kafka', 'server.properties'], {
    cwd: place,
    stdio: 'ignore',
  });
}

async function kill(): Promise<void> {
  if (broker.exitCode !== null || broker.signalCode !== null) return;
  broker.kill('SIGKILL');
  await once(broker, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

async function topicMade(): Promise<void> {
  const options = { clientId: 'test', bootstrapBrokers: [`127.0.0.1:${port}`], retries: 0, tls, sasl };
  for (let waited = 0; ; waited++) {
    const admin = new Admin(options);
    try {
      await admin.createTopics({ topics: [TOPIC], partitions: 3, replicas: 1 });
      return;
    } catch (error) {
      if (waited > 60) throw error;
      await sleep(1_000);
    } finally {
      await admin.close();
    }
  }
}

function sinkWith(changes: {
  readonly topic?: string;
  readonly password?: string;
  readonly ca?: string;
}): KafkaSink {
  const { topic = TOPIC, password = PASSWORD } = changes;
  const ca = 'ca' in changes ? changes.ca : certificate;
  const brokers = [`127.0.0.1:${port}`];
  const options = { name: 'kafka', brokers, topic, tls: true, ca, timeoutMs: 5_000 };
  return new KafkaSink({ ...options, sasl: { ...sasl, password } });
}

/** What an operator is told of a wrong password, a missing topic, and a certificate that nobody vouches for. */
async function refusals(): Promise<void> {
  for (const [wrong, code] of [
    [{ password: 'other' }, 'refused'],
    [{ topic: 'missing' }, 'refused'],
    [{ ca: undefined as unknown as string }, 'unavailable'],
  ] as const) {
    const sink = sinkWith(wrong);
    const work = sink.deliver([{ line: Buffer.from('{"event":{"id":"x"}}') }], AbortSignal.timeout(60_000));
    await assert.rejects(work, (error: Error & { code?: string }) => {
      process.stdout.write(`${Object.keys(wrong)}: ${error.code}: ${error.message}\n`);
      assert.ok(!error.message.includes('other'));
      return error.code === code;
    });
    await sink.close();
  }
}

async function shipThroughDeath(): Promise<void> {
  const outbox = new Outbox({ directory: join(place, 'outbox'), now: Date.now });
  const gateway = { id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' };
  const recorder = new Recorder({ outbox, gateway, now: Date.now });
  const log = createLog({ service: { name: 'test', version: '0', node: 'test' }, level: 'fatal' });
  const pace = { lingerMs: 1, firstRetryMs: 50, lastRetryMs: 500 };
  const shipper = new Shipper({
    outbox,
    sink: sinkWith({}),
    log,
    now: Date.now,
    random: Math.random,
    ...pace,
  });
  const ids: string[] = [];
  for (let index = 0; index < EVENTS; index++) ids.push(await recorder.record(examples['access-decided']));
  const started = performance.now();
  shipper.start();
  while (shipper.cursor.delivered < EVENTS / 4) await sleep(1);
  await kill();
  broker = start();
  while (shipper.cursor.delivered < EVENTS) await sleep(5);
  const seconds = (performance.now() - started) / 1_000;
  await shipper.stop();
  await outbox.close();
  await kill();
  const partitions = globSync('data/sallyport-*/*.log', { cwd: place }).map((file) =>
    idsIn(join(place, file)),
  );
  const got = partitions.filter((found) => found.length > 0);
  assert.equal(got.length, 1, 'one partition for one gateway');
  const found = got[0] ?? [];
  assert.deepEqual([...new Set(found)], ids, 'every event, in order');
  process.stdout.write(
    `${EVENTS} events through a kill -9 of the broker in ${seconds.toFixed(1)} s: none lost, in order, ` +
      `${found.length - ids.length} came twice, ${shipper.retries} retries\n`,
  );
}

/** Event ids in one segment of the broker, as it has them on disk. */
function idsIn(file: string): string[] {
  const bytes = readFileSync(file);
  const ids: string[] = [];
  // Each batch: 8 bytes of offset, 4 of length, and so many more; after a kill zeros may follow.
  for (
    let at = 0;
    at + 12 < bytes.length && bytes.readInt32BE(at + 8) > 0;
    at += 12 + bytes.readInt32BE(at + 8)
  ) {
    const batch = readRecordsBatch(Reader.from(bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8))));
    for (const { value } of batch.records) ids.push(JSON.parse(String(value)).event.id);
  }
  return ids;
}
