// What an OpenTelemetry log record says beside the document in its body.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import { OtlpSink } from '#siem/sinks/otlp';
import { uuid7Generator } from '#siem/uuid7';
import { examples } from '../ecs/examples.ts';

test('an alert has the severity of one, whatever else is in the batch', async (t) => {
  let body = Buffer.alloc(0);
  const server = createServer(async (request, response) => {
    body = await buffer(request);
    response.end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const sink = new OtlpSink({
    name: 'otel',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
  t.after(() => sink.close());
  const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });
  const newId = uuid7Generator(Date.now);
  const kinds = ['login-failed', 'policy-rejected', 'change-refused', 'recording-interrupted'] as const;
  const documents = kinds.map((kind) => mapper.document(examples[kind], newId(), Date.now()));
  const batch = documents.map((document) => ({ line: Buffer.from(encodeLine(document)) }));
  await sink.deliver(batch, new AbortController().signal);
  const { resourceLogs } = JSON.parse(body.toString('utf8'));
  const records: { eventName: string; severityNumber: number }[] = resourceLogs[0].scopeLogs[0].logRecords;
  assert.deepEqual(
    documents.map(({ event }) => event['severity']),
    [undefined, 47, 73, 99],
  );
  // OpenTelemetry logs data model, severity fields and appendix B (syslog).
  assert.deepEqual(
    records.map(({ eventName, severityNumber }) => [eventName, severityNumber]),
    [
      ['login-failed', 9],
      ['policy-rejected', 17],
      ['change-refused', 18],
      ['recording-interrupted', 19],
    ],
  );
});
