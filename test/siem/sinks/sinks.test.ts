// Every sink against the contract, with a receiver that speaks its protocol and fails on demand.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ElasticsearchSink } from '#siem/sinks/elasticsearch';
import { FilesSink } from '#siem/sinks/files';
import { OtlpSink } from '#siem/sinks/otlp';
import { SplunkSink } from '#siem/sinks/splunk';
import { signature, WebhookSink } from '#siem/sinks/webhook';
import { type Harness, sinkContract } from './contract.ts';
import { httpReceiver, jsonLines } from './http-receiver.ts';

const HTTP = ['outage', 'throttled', 'slow', 'answer-lost'] as const;

sinkContract({
  name: 'elasticsearch',
  troubles: [...HTTP, 'partly'],
  // The same id again is a conflict for a real one; the receiver here counts it to prove that the id is the same.
  repeats: ['answer-lost'],
  refuses: true,
  start: () =>
    httpReceiver(
      {
        whole: false,
        documents: (request, body) => {
          assert.ok(request.url?.startsWith('/_bulk?'));
          assert.equal(request.headers.authorization, 'ApiKey a2V5');
          const lines = jsonLines(body);
          return lines.flatMap((line, index) => {
            if (index % 2 === 0) return [];
            const { create } = lines[index - 1] as { create: { _index: string; _id: string } };
            assert.equal(create._id, (line as { event: { id: string } }).event.id);
            assert.equal(create._index, 'logs-sallyport.access-default');
            return [line];
          });
        },
        answer: (taken) => {
          const status = { taken: 201, again: 429, refused: 400 };
          const items = taken.map((one) => ({ create: { status: status[one] } }));
          return { status: 200, body: JSON.stringify({ errors: true, items }) };
        },
      },
      (url) => new ElasticsearchSink({ name: 'elastic', url, apiKey: 'a2V5' }),
    ),
});

sinkContract({
  name: 'webhook',
  troubles: HTTP,
  repeats: ['answer-lost'],
  refuses: true,
  start: () =>
    httpReceiver(
      {
        whole: true,
        documents: (request, body) => {
          const sent = String(request.headers['sallyport-signature']);
          const seconds = Number(/^t=(\d+),/.exec(sent)?.[1]);
          assert.equal(sent, signature('s3cret', seconds, body));
          return jsonLines(body);
        },
        answer: () => ({ status: 204, body: '' }),
      },
      (url) => new WebhookSink({ name: 'hook', url, secret: 's3cret', now: Date.now }),
    ),
});

function splunk(acknowledge: boolean): Harness {
  return {
    name: acknowledge ? 'splunk with acknowledgement' : 'splunk',
    troubles: HTTP,
    repeats: ['answer-lost'],
    refuses: true,
    start: () => {
      const asked = new Map<number, number>();
      let batches = 0;
      return httpReceiver(
        {
          whole: true,
          documents: (request, body) => {
            assert.equal(request.headers.authorization, 'Splunk t0ken');
            if (request.url !== '/services/collector/event') return undefined;
            return jsonLines(body).map((line) => (line as { event: unknown }).event);
          },
          answer: () => ({
            status: 200,
            body: JSON.stringify({ text: 'Success', code: 0, ackId: batches++ }),
          }),
          // True from the second question on, as an indexer takes its time.
          answerOther: (_, body) => {
            const { acks } = JSON.parse(body.toString('utf8')) as { acks: number[] };
            const answers = acks.map((ack) => {
              asked.set(ack, (asked.get(ack) ?? 0) + 1);
              return [ack, (asked.get(ack) ?? 0) > 1];
            });
            return { status: 200, body: JSON.stringify({ acks: Object.fromEntries(answers) }) };
          },
        },
        (url) => new SplunkSink({ name: 'splunk', url, token: 't0ken', acknowledge, pollMs: 1 }),
      );
    },
  };
}
sinkContract(splunk(true));
sinkContract(splunk(false));

sinkContract({
  name: 'otlp',
  troubles: HTTP,
  repeats: ['answer-lost'],
  refuses: true,
  start: () =>
    httpReceiver(
      {
        whole: true,
        documents: (request, body) => {
          assert.equal(request.url, '/v1/logs');
          const { resourceLogs } = JSON.parse(body.toString('utf8'));
          return resourceLogs[0].scopeLogs[0].logRecords.map((record: { body: { stringValue: string } }) =>
            JSON.parse(record.body.stringValue),
          );
        },
        answer: () => ({ status: 200, body: '{}' }),
      },
      (url) => new OtlpSink({ name: 'otel', url }),
    ),
});

sinkContract({
  name: 'files',
  troubles: ['outage'],
  repeats: [],
  refuses: false,
  start: async () => {
    const root = mkdtempSync(join(tmpdir(), 'sallyport-files-'));
    const directory = join(root, 'logs');
    mkdirSync(directory);
    const path = join(directory, 'events.jsonl');
    // Small enough to rotate during the run, and enough files to hold all of it.
    const options = { name: 'files', path, rotateBytes: 100_000, keep: 20 };
    const sinks: FilesSink[] = [];
    const read = (file: string): string[] => {
      try {
        return readFileSync(file, 'utf8').split('\n').filter(Boolean);
      } catch {
        return [];
      }
    };
    return {
      sink: () => {
        const sink = new FilesSink(options);
        sinks.push(sink);
        return sink;
      },
      ids: () =>
        [...Array(21).keys()]
          .reverse()
          .flatMap((age) => read(age === 0 ? path : `${path}.${age}`))
          .map((line) => JSON.parse(line).event.id),
      trouble: async (kind) => {
        // The directory is gone, as when a mount is: an open file would hide it, so it is opened anew.
        await Promise.all(sinks.map((sink) => sink.close()));
        if (kind === undefined) renameSync(join(root, 'away'), directory);
        else renameSync(directory, join(root, 'away'));
      },
      close: async () => rmSync(root, { recursive: true, force: true }),
    };
  },
});
