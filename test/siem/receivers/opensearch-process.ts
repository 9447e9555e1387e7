// Every kind of event into a real OpenSearch under our mappings, found again by field. Needs Maven and Java 17, so it is
// run by hand and not by the tests: node test/siem/receivers/opensearch-process.ts
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { ElasticsearchSink } from '#siem/sinks/elasticsearch';
import { HttpReceiver } from '#siem/sinks/http';
import { setUp } from '#siem/sinks/setup';
import { uuid7Generator } from '#siem/uuid7';
import { examples } from '../ecs/examples.ts';

const place = mkdtempSync(join(tmpdir(), 'sallyport-opensearch-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
cpSync(join(import.meta.dirname, 'opensearch'), place, { recursive: true });
const build = { cwd: place, stdio: 'inherit' } as const;
execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=jars'], build);
execFileSync('javac', ['-cp', 'jars/*', '-d', '.', 'Receiver.java'], build);
const java = ['-Xmx1g', '-cp', '.:jars/*', 'Receiver', join(place, 'home'), String(port)];
const node = spawn('java', java, { cwd: place, stdio: ['pipe', 'ignore', 'ignore'] });
try {
  await answering();
  await check();
} finally {
  node.kill('SIGKILL');
  rmSync(place, { recursive: true, force: true });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

async function answering(): Promise<void> {
  for (let waited = 0; waited < 60; waited++) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(1_000);
  }
  throw new Error('OpenSearch did not start within a minute');
}

async function call(method: string, path: string, body?: unknown): Promise<{ count: number }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url + path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return (await answer.json()) as { count: number };
}

async function check(): Promise<void> {
  const http = new HttpReceiver({ url });
  // Twice: repeating it must change nothing.
  for (let time = 0; time < 2; time++) {
    const warned: string[] = [];
    await setUp(http, {}, { keepDays: 30 }, { made: () => undefined, warn: (what) => warned.push(what) });
    // Index management is a plugin that these jars do not hold.
    assert.equal(warned.length, 1);
  }
  await http.close();
  const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' });
  const newId = uuid7Generator(Date.now);
  const events = Object.values(examples);
  const batch = events.map((event) => ({
    line: Buffer.from(encodeLine(mapper.document(event, newId(), Date.now()))),
  }));
  const sink = new ElasticsearchSink({ name: 'opensearch', url });
  // The second time every id is there already.
  for (let time = 0; time < 2; time++) {
    const verdicts = await sink.deliver(batch, AbortSignal.timeout(30_000));
    assert.deepEqual(
      verdicts.filter(({ kind }) => kind !== 'delivered'),
      [],
    );
  }
  await sink.close();
  await call('POST', '/logs-sallyport.*/_refresh');
  const counts = async (query: string): Promise<number> =>
    (await call('GET', `/logs-sallyport.*/_count?q=${encodeURIComponent(query)}`)).count;
  assert.equal(await counts('*'), events.length);
  for (const query of [
    'event.action:heartbeat',
    'sallyport.sinks.lag_seconds:[0 TO 1]',
    'sallyport.decision.input.subject.groups:"idp:eng-sre"',
    'event.action:heartbeat AND event.ingested:[now-1h TO now+1h]',
  ]) {
    assert.equal(await counts(query), 1, query);
  }
  // An address is one, not text: only then does a range of addresses find it.
  assert.ok((await counts('source.ip:"203.0.113.0/24"')) > 1);
  process.stdout.write(`${events.length} kinds of event taken, repeats recognised, found by field\n`);
}
