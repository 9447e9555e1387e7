// The files a sink needs are there, and the secret ones are private, before anything is started.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { SinkConfig } from '#siem/config';
import { CredentialError, createSink } from '#siem/sinks/create';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-sink-files-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, mode: number, content = 'secret'): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const syslog = (also: object): SinkConfig =>
  ({
    type: 'syslog',
    name: 'syslog',
    host: 'logs.example',
    port: 6514,
    format: 'ecs',
    ...also,
  }) as SinkConfig;
const webhook = (path: string): SinkConfig =>
  ({ type: 'webhook', name: 'hook', url: 'https://hook.example', secret: { file: path } }) as SinkConfig;

function refused(config: SinkConfig, message: string): void {
  assert.throws(
    () => createSink(config, Date.now),
    (error) => error instanceof CredentialError && error.message === message,
  );
}

test('a certificate, its key and an authority that are missing are named', () => {
  const there = file('there.pem', 0o600);
  const missing = join(directory, 'missing.pem');
  refused(syslog({ ca: missing }), `${missing} cannot be read: ENOENT`);
  refused(syslog({ certificate: { file: missing, key: there } }), `${missing} cannot be read: ENOENT`);
  refused(syslog({ certificate: { file: there, key: missing } }), `${missing} is not there`);
});

test('an authority that is none is refused: TLS would believe those of the system', () => {
  for (const content of ['', '\n', 'secret']) {
    const empty = file('empty.pem', 0o644, content);
    refused(syslog({ ca: empty }), `${empty} holds no certificate in PEM`);
    const hook = { ...webhook(file('hook', 0o600)), ca: empty } as SinkConfig;
    refused(hook, `${empty} holds no certificate in PEM`);
  }
});

test('a key or a credential that others could read is refused, with what to do', () => {
  const certificate = file('certificate.pem', 0o644);
  for (const mode of [0o640, 0o604, 0o660]) {
    const loose = file(`loose-${mode}`, mode);
    const message = `${loose} has mode ${mode.toString(8)}: others could read it. Run: chmod 600 ${loose}`;
    refused(syslog({ certificate: { file: certificate, key: loose } }), message);
    refused(webhook(loose), message);
  }
});

test('a credential is one line', () => {
  for (const content of ['', '\n', 'two\nlines', 'a\u0000b']) {
    const path = file('content', 0o600, content);
    refused(webhook(path), `${path} must hold one line of printable characters`);
  }
});
