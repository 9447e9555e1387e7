// Kafka: the contract with a broker that fails on demand, one partition for one gateway, and what a refusal says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { resolveSiemPaths, siemSchema } from '#siem/config';
import { KafkaSink } from '#siem/sinks/kafka';
import { sinkContract } from './contract.ts';
import { kafkaReceiver } from './kafka-broker.ts';

sinkContract({
  name: 'kafka',
  troubles: ['outage', 'throttled', 'slow', 'answer-lost'],
  repeats: ['answer-lost', 'outage'],
  refuses: true,
  start: kafkaReceiver,
});

const record = (gateway: string, id: string): { line: Buffer } => ({
  line: Buffer.from(JSON.stringify({ event: { id }, sallyport: { gateway: { id: gateway } } })),
});

test('events of one gateway are in one partition, keyed by it', async (t) => {
  const receiver = await kafkaReceiver();
  t.after(() => receiver.close());
  const sink = receiver.sink();
  t.after(() => sink.close());
  const { signal } = new AbortController();
  for (const gateway of ['gw1', 'gw2']) {
    await sink.deliver(
      Array.from({ length: 20 }, (_, index) => record(gateway, `${gateway}-${index}`)),
      signal,
    );
  }
  assert.equal(receiver.places.length, 40);
  assert.equal(new Set(receiver.places).size, 2);
});

test('an address where nobody answers is unavailable, within its time', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  await new Promise((resolve) => server.close(resolve));
  const sink = new KafkaSink({
    name: 'kafka',
    brokers: [`127.0.0.1:${address.port}`],
    topic: 'sallyport',
    tls: false,
    timeoutMs: 1_000,
  });
  await assert.rejects(sink.deliver([record('gw1', 'a')], AbortSignal.timeout(20_000)), {
    code: 'unavailable',
  });
  await sink.close();
});

test('a configuration without TLS, or with words that are no brokers, is refused', () => {
  const parse = (kafka: object): string => {
    const sink = { name: 'k', type: 'kafka', topic: 'sallyport', ...kafka };
    return (
      siemSchema
        .safeParse({ sinks: [sink] })
        .error?.issues.map(({ message }) => message)
        .join(' ') ?? 'good'
    );
  };
  assert.equal(parse({ brokers: ['kafka-1.example:9093'] }), 'good');
  assert.equal(parse({ brokers: ['127.0.0.1:9092', 'localhost:9092', '[::1]:9092'], tls: false }), 'good');
  assert.match(parse({ brokers: ['kafka-1.example:9093'], tls: false }), /without TLS/);
  assert.match(parse({ brokers: ['127.0.0.1.evil.example:9093'], tls: false }), /without TLS/);
  assert.match(parse({ brokers: ['kafka-1.example'] }), /host:port/);
  assert.match(parse({ brokers: [] }), /expected array to have >=1|Too small/);
  assert.match(parse({ brokers: ['a:1'], topic: 'a b' }), /name of a topic/);
});

test('file names are made absolute, and brokers stay a list', () => {
  const sasl = { username: 'gw', password: { file: 'password' } };
  const sink = { name: 'k', type: 'kafka', topic: 't', brokers: ['a:1', 'b:2'], ca: 'ca.pem', sasl };
  const config = siemSchema.parse({ sinks: [sink] });
  assert.deepEqual(resolveSiemPaths(config, (file) => `/etc/${file}`).sinks, [
    {
      ...{ name: 'k', type: 'kafka', topic: 't', brokers: ['a:1', 'b:2'], tls: true, ca: '/etc/ca.pem' },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'gw', password: { file: '/etc/password' } },
    },
  ]);
});

test('without its package the sink is refused at once, with the way to get it', () => {
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve: (name, context, next) => {
        if (name === '@platformatic/kafka') throw new Error('not found');
        return next(name, context);
      },
    });
    const { createSink } = await import('#siem/sinks/create');
    const options = { name: 'k', type: 'kafka', brokers: ['a:1'], topic: 't', tls: true };
    try { createSink(options, Date.now); } catch (error) { process.stdout.write(error.message); }
  `;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.match(said, /Run: npm install @platformatic\/kafka@2$/);
});
