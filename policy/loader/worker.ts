// Runs in a worker thread: reads, checks and tests one document, then hands its rules over batch by batch.
import { parentPort, workerData } from 'node:worker_threads';
import { checkPolicy, testPolicy } from '../read.ts';
import { BATCH, type FromWorker, type Task } from './messages.ts';

// Nothing here needs the environment, but the YAML parser looks into it for every token, which in a thread costs a
// quarter of its time (measured).
process.env = {};

const { text, file } = workerData as Task;
const checked = checkPolicy(text, file);
if (!checked.ok) {
  send({ kind: 'refused', problems: checked.problems });
} else {
  const { rules, apps, tests = [], version: _version, ...definitions } = checked.document;
  const failures = tests.length === 0 ? [] : testPolicy(checked).failures;
  if (failures.length > 0) {
    send({ kind: 'refused', problems: failures });
  } else {
    send({ kind: 'accepted', definitions, apps, hash: checked.hash, warnings: checked.warnings });
    let sent = 0;
    parentPort?.on('message', () => {
      send({ kind: 'rules', rules: rules.slice(sent, sent + BATCH) });
      if (sent >= rules.length) parentPort?.close();
      sent += BATCH;
    });
  }
}

function send(message: FromWorker): void {
  parentPort?.postMessage(message);
}
