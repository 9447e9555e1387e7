// Workers without processes: what each gets of the configuration, when a dead one is started again, and how the
// figures of all become one exposition.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';
import { isWorkerOf, workersProblem } from '#gateway/workers/config';
import { merged, WorkersHealth } from '#gateway/workers/health';
import type { SeatMessage } from '#gateway/workers/seat';
import { workerConfig } from '#gateway/workers/share';
import { pauseAfter, WorkerError, WorkerProcess } from '#gateway/workers/worker-process';
import { formatProblems, readDocument } from '#policy/document';

const DOCUMENT = `version: 1
name: edge
policy: ./policy.yaml
portal: https://access.example.com:8443
workers: { count: 2 }
state:
  kind: redis
  directory: ./state
  secret: { file: ./state-secret }
  redis: { server: "127.0.0.1:6379" }
identity:
  providers: [{ id: corp, name: Corp, issuer: "https://id.example.com", clientId: sallyport }]
siem:
  sinks: [{ name: soc, type: files, path: ./events.jsonl }]
apps: [{ id: wiki, name: Wiki, host: wiki.example.com, connectors: [berlin-1] }]
`;

function read(text: string): GatewayConfig {
  const reading = readDocument(gatewaySchema, text, 'gateway.yaml');
  assert.ok(reading.ok, reading.ok ? '' : formatProblems(reading.problems));
  return resolvePaths(reading.value, '/etc/sallyport');
}

test('a worker has a name, a directory and files of its own, and the rest in common', () => {
  const whole = read(DOCUMENT);
  const worker = workerConfig(whole, 2);
  assert.equal(worker.name, 'edge-2');
  assert.equal(worker.state, '/etc/sallyport/state/worker-2');
  assert.equal(worker.store.directory, worker.state);
  assert.deepEqual(worker.listen.people, whole.listen.people);
  assert.equal(worker.listen.health.port, 0);
  const [sink] = worker.siem.sinks;
  assert.equal(sink?.type === 'files' && sink.path, '/etc/sallyport/events.jsonl.worker-2');
  assert.deepEqual(structuredClone(worker), worker, 'it can be told to another process');
  const names = ['edge-1', 'edge-12', 'edge', 'edge-1-1', 'edge-b', 'edges-1'];
  assert.deepEqual(
    names.filter((name) => isWorkerOf('edge', name)),
    ['edge-1', 'edge-12'],
  );
});

test('several workers need a shared state, and names that fit', () => {
  const embedded = readDocument(
    gatewaySchema,
    DOCUMENT.replace(/state:\n(?: {2}.*\n)+/, 'state: ./state\n'),
    'gateway.yaml',
  );
  assert.ok(!embedded.ok);
  assert.match(
    formatProblems(embedded.problems),
    /gateway\.yaml:5:\d+: .*2 workers need a state.*kind: redis/,
  );
  assert.equal(workersProblem('edge', 'embedded', 1), undefined);
  assert.equal(workersProblem('e'.repeat(61), 'redis', 9), undefined);
  assert.match(workersProblem('e'.repeat(61), 'redis', 10) ?? '', /shorter name/);
});

class FakeChild extends EventEmitter {
  connected = true;
  readonly heard: unknown[] = [];
  readonly signals: string[] = [];
  send(message: unknown): void {
    this.heard.push(message);
  }
  kill(signal: string): void {
    this.signals.push(signal);
  }
}

function bed(): { worker: WorkerProcess; children: FakeChild[]; serve(child: FakeChild | undefined): void } {
  const children: FakeChild[] = [];
  const quiet = { error: () => {}, warn: () => {}, info: () => {} };
  const worker = new WorkerProcess({
    number: 1,
    launch: () => {
      const child = new FakeChild();
      children.push(child);
      return child as unknown as ChildProcess;
    },
    seat: () => ({ kind: 'seat' }) as SeatMessage,
    log: quiet as never,
  });
  const serve = (child: FakeChild | undefined): void =>
    void child?.emit('message', {
      ...{ kind: 'ready', developmentCa: undefined },
      health: { address: '127.0.0.1', family: 'IPv4', port: 1 },
    });
  return { worker, children, serve };
}

test('who dies is started again: at once, and later each time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { worker, children, serve } = bed();
  serve(children[0]);
  await worker.first;
  assert.ok(worker.health !== undefined);
  for (const [index, pause] of [0, 500, 1_000, 2_000].entries()) {
    children[index]?.emit('exit', null, 'SIGKILL');
    assert.equal(worker.health, undefined);
    if (pause > 0) {
      t.mock.timers.tick(pause - 1);
      assert.equal(children.length, index + 1, 'not yet');
    }
    t.mock.timers.tick(1);
    assert.equal(children.length, index + 2);
    assert.deepEqual(children[index + 1]?.heard, [{ kind: 'seat' }], 'it has its seat');
  }
  assert.equal(worker.restarts, 4);
  assert.equal(pauseAfter(50), 30_000);
});

test('who never served is not started again, and who is stopped neither', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const failed = bed();
  failed.children[0]?.emit('exit', 1, null);
  await assert.rejects(failed.worker.first, WorkerError);
  assert.equal(await failed.worker.ended, 1);

  const { worker, children, serve } = bed();
  serve(children[0]);
  worker.stop('SIGTERM');
  worker.stop('SIGTERM');
  assert.deepEqual(children[0]?.signals, ['SIGTERM', 'SIGTERM'], 'a second one hurries it');
  children[0]?.emit('exit', 0, null);
  assert.equal(await worker.ended, 0);
  t.mock.timers.tick(60_000);
  assert.equal(children.length, 1);

  // Between two lives there is nothing to stop but the next one.
  const between = bed();
  between.serve(between.children[0]);
  for (let life = 0; life < 2; life += 1) {
    between.children.at(-1)?.emit('exit', 1, null);
    if (life === 0) t.mock.timers.tick(1);
  }
  between.worker.stop('SIGTERM');
  assert.equal(await between.worker.ended, 0);
  t.mock.timers.tick(60_000);
  assert.equal(between.children.length, 2);

  // One that is only being started again does not know the signal yet, and is ended by it.
  const starting = bed();
  starting.serve(starting.children[0]);
  starting.children[0]?.emit('exit', 1, null);
  t.mock.timers.tick(1);
  starting.worker.stop('SIGTERM');
  starting.children[1]?.emit('exit', null, 'SIGTERM');
  assert.equal(await starting.worker.ended, 0, 'as it was told');

  const late = bed();
  late.serve(late.children[0]);
  late.worker.stop('SIGTERM');
  late.children[0]?.emit('exit', null, 'SIGKILL');
  assert.equal(await late.worker.ended, 1, 'but not one that had to be killed');
});

test('the figures of all workers are one exposition', async () => {
  const text = (value: number): string =>
    `# HELP a_total A.\n# TYPE a_total counter\na_total{verdict="allow"} ${value}\na_total{verdict="deny"} 0\n` +
    `# HELP b B.\n# TYPE b gauge\nb ${value}\n`;
  assert.equal(
    merged([
      [1, text(3)],
      [2, text(4)],
    ]),
    '# HELP a_total A.\n# TYPE a_total counter\n' +
      'a_total{verdict="allow",worker="1"} 3\na_total{verdict="deny",worker="1"} 0\n' +
      'a_total{verdict="allow",worker="2"} 4\na_total{verdict="deny",worker="2"} 0\n' +
      '# HELP b B.\n# TYPE b gauge\nb{worker="1"} 3\nb{worker="2"} 4\n',
  );
  const none = new WorkersHealth([{ number: 1, health: undefined, restarts: 2 }]);
  assert.deepEqual(await none.condition(), { ailments: ['no worker serves'], warnings: [] });
  assert.match(await none.metrics(), /^sallyport_worker_up\{worker="1"\} 0$/m);
  assert.match(await none.metrics(), /^sallyport_worker_restarts_total\{worker="1"\} 2$/m);
});
