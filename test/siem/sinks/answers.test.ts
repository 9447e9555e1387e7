// What a receiver's answer over HTTP means: whose trouble it is, how long to wait, and what is said of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ElasticsearchSink } from '#siem/sinks/elasticsearch';
import { type Sink, SinkError } from '#siem/sinks/sink';
import { SplunkSink } from '#siem/sinks/splunk';
import { WebhookSink } from '#siem/sinks/webhook';
import { document } from '../outbox/documents.ts';

interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** Answers these in turn, then the last one. */
async function answering(t: TestContext, ...answers: readonly Answer[]): Promise<string> {
  let next = 0;
  const server = createServer((request, response) => {
    const { status, headers, body } = answers[Math.min(next++, answers.length - 1)] ?? { status: 500 };
    request.resume().once('end', () => response.writeHead(status, headers).end(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function offered(t: TestContext, sink: Sink): ReturnType<Sink['deliver']> {
  t.after(() => sink.close());
  return await sink.deliver(
    [{ line: Buffer.from(JSON.stringify(document())) }],
    new AbortController().signal,
  );
}

async function errorOf(t: TestContext, answer: Answer): Promise<SinkError> {
  const url = await answering(t, answer);
  const sink = new WebhookSink({ name: 'hook', url, secret: 's', now: Date.now });
  const error = await offered(t, sink).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SinkError, String(error));
  return error;
}

test('a receiver is waited for as long as it asks, in seconds or until a date, up to ten minutes', async (t) => {
  const until = (ms: number): string => new Date(Date.now() + ms).toUTCString();
  for (const [asks, least, most] of [
    ['7', 7_000, 7_000],
    [until(60_000), 55_000, 60_000],
    ['86400', 600_000, 600_000],
    [until(86_400_000), 600_000, 600_000],
  ] as const) {
    const { code, retryAfterMs = 0 } = await errorOf(t, { status: 503, headers: { 'retry-after': asks } });
    assert.equal(code, 'unavailable');
    assert.ok(retryAfterMs >= least && retryAfterMs <= most, `${asks}: ${retryAfterMs}`);
  }
  for (const asks of ['0', '-5', 'soon', until(-60_000)]) {
    const { retryAfterMs } = await errorOf(t, { status: 429, headers: { 'retry-after': asks } });
    assert.equal(retryAfterMs, undefined, asks);
  }
});

test('why a record was refused is said in the words of the receiver, on one line and without credentials', async (t) => {
  const echoed = 'no\r\n\u001b[2Jindex \u202emain; you sent Authorization: Splunk 0123456789abcdef';
  const { code, message } = await errorOf(t, { status: 400, body: echoed });
  assert.equal(code, 'batch-rejected');
  assert.match(
    message,
    /^127\.0\.0\.1:\d+ answered 400: no \[2Jindex main; you sent Authorization: \[hidden\]/,
  );
  assert.ok(!message.includes('0123456789abcdef'), message);
  const long = await errorOf(t, { status: 413, body: 'x'.repeat(100_000) });
  assert.ok(long.message.length < 300);
});

test('what is wrong with a cluster is not the fault of a record', async (t) => {
  for (const [type, reason, kind] of [
    ['validation_exception', 'Validation Failed: 1: this action would add [2] shards', 'retry'],
    ['illegal_argument_exception', 'Validation Failed: 1: this action would add [2] total shards', 'retry'],
    ['illegal_argument_exception', 'pipeline with id [sallyport@ingested] does not exist', 'retry'],
    ['index_closed_exception', 'closed', 'retry'],
    ['document_parsing_exception', '[1:2] failed to parse field [client.ip] of type [ip]', 'rejected'],
    ['illegal_argument_exception', 'Document contains at least one immense term', 'rejected'],
  ] as const) {
    const items = [{ create: { status: 400, error: { type, reason } } }];
    const url = await answering(t, { status: 200, body: JSON.stringify({ errors: true, items }) });
    const [verdict] = await offered(t, new ElasticsearchSink({ name: 'elastic', url }));
    assert.equal(verdict?.kind, kind, `${type}: ${reason}`);
  }
});

test('a collector that does not answer for an acknowledgement has refused nothing', async (t) => {
  const taken = { status: 200, body: '{"text":"Success","code":0,"ackId":7}' };
  const refused = { status: 400, body: '{"text":"Data channel is missing","code":10}' };
  const acknowledged = { status: 200, body: '{"acks":{"7":true}}' };
  const url = await answering(t, taken, refused, acknowledged);
  const sink = new SplunkSink({ name: 'splunk', url, token: 't', acknowledge: true, pollMs: 1 });
  assert.deepEqual(await offered(t, sink), [{ kind: 'delivered' }]);
});
