// Documents and directories for the tests of the outbox.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { TestContext } from 'node:test';
import type { EcsDocument } from '#siem/ecs/document';
import { uuid7Generator } from '#siem/uuid7';

/** A private directory that goes away with the test. */
export function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-outbox-'));
  made.push(directory);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const made: string[] = [];
// Hooks run in the order in which they were made: a shipper that stops later has written its cursor once more.
process.once('exit', () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

const newId = uuid7Generator(Date.now);

/** A small document; `filler` bytes make it larger. */
export function document(options: { id?: string; time?: number; filler?: number } = {}): EcsDocument {
  return {
    '@timestamp': new Date(options.time ?? Date.now()).toISOString(),
    message: 'x'.repeat(options.filler ?? 0),
    ecs: { version: '9.4.0' },
    data_stream: { type: 'logs', dataset: 'sallyport.access', namespace: 'default' },
    event: { id: options.id ?? newId(), sequence: 0, action: 'test' },
    observer: { hostname: 'gw1.example' },
  };
}
