// Runs in a worker thread: reads, checks and tests one document, then hands its rules over batch by batch.
import { parentPort, workerData } from 'node:worker_threads';
import { readPolicy } from '../read.ts';
import { BATCH, type FromWorker, type Task } from './messages.ts';

const { text, file } = workerData as Task;
const reading = readPolicy(text, file);
if (!reading.ok) {
  send({ kind: 'refused', problems: reading.problems });
} else if (reading.failures.length > 0) {
  send({ kind: 'refused', problems: reading.failures });
} else {
  const { rules, apps, tests: _tests, version: _version, ...definitions } = reading.document;
  const { warnings, policy } = reading;
  send({ kind: 'accepted', definitions, apps, hash: policy.hash, warnings });
  let sent = 0;
  parentPort?.on('message', () => {
    send({ kind: 'rules', rules: rules.slice(sent, sent + BATCH) });
    if (sent >= rules.length) parentPort?.close();
    sent += BATCH;
  });
}

function send(message: FromWorker): void {
  parentPort?.postMessage(message);
}
