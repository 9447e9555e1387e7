// The service's own log: one valid, nested ECS object a line, no key twice, no secret in any place.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLog, LEVELS, type LogFields } from '#siem/log';

interface Line {
  readonly [name: string]: unknown;
  readonly error?: { readonly type: string; readonly message: string; readonly stack_trace: string };
  readonly labels?: Readonly<Record<string, string>>;
}

function linesOf(use: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  const to = { write: (line: string) => void lines.push(line) };
  use(createLog({ service: { name: 'sallyport', version: '0.1.0', node: 'gw1' }, level: 'trace', to }));
  return lines;
}

function lineOf(fields: LogFields, message = 'text'): { text: string; line: Line } {
  const [text = ''] = linesOf((log) => log.error(fields, message));
  return { text, line: JSON.parse(text) };
}

describe('a line of the log', () => {
  test('has the fields of ECS logging, nested, each once', () => {
    const { text, line } = lineOf({
      err: new TypeError('broken'),
      port: 8443,
      message: 'mine',
      '@timestamp': 1,
    });
    assert.ok(text.endsWith('}\n'));
    assert.deepEqual(line['ecs'], { version: '9.4.0' });
    assert.deepEqual(line['log'], { level: 'error' });
    assert.equal(line['message'], 'text');
    assert.equal(line.error?.type, 'TypeError');
    assert.deepEqual(line.labels, { port: '8443', message: 'mine', '@timestamp': '1' });
    const keys = [...text.matchAll(/[{,]"([^"]+)":/g)].map(([, key]) => key);
    for (const key of ['@timestamp', 'log', 'ecs', 'error']) {
      const times = keys.filter((one) => one === key).length;
      assert.equal(times, key === '@timestamp' ? 2 : 1, key);
    }
    assert.ok(Object.keys(line).every((key) => !key.includes('.')));
  });

  test('is written for every level', () => {
    const lines = linesOf((log) => {
      for (const level of LEVELS) log[level]({}, level);
    });
    assert.deepEqual(
      lines.map((text) => JSON.parse(text).log.level),
      LEVELS,
    );
  });

  test('takes an error that is none', () => {
    assert.equal(lineOf({ err: 'just text' }).line.error?.message, 'just text');
  });

  test('stays one line', () => {
    const { text } = lineOf({ err: new Error('a\r\nb'), who: 'x\ny' }, 'c\nd');
    assert.equal(text.indexOf('\n'), text.length - 1);
  });
});

describe('secrets', () => {
  const secrets = ['hunter2hunter2', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln', 'MIIEvQIBADAN'];
  const leaks = [
    `Authorization: Bearer ${secrets[0]}`,
    `cookie=${secrets[0]}; path=/`,
    `{"client_secret":"${secrets[0]}"}`,
    `https://ada:${secrets[0]}@idp.example/`,
    `id_token ${secrets[1]} refused`,
    `-----BEGIN PRIVATE KEY-----\n${secrets[2]}\n-----END PRIVATE KEY-----`,
  ];
  for (const leak of leaks) {
    test(`are hidden: ${leak.slice(0, 24)}`, () => {
      const { text } = lineOf({ err: new Error(leak), note: leak }, leak);
      for (const secret of secrets) assert.ok(!text.includes(secret), text);
    });
  }

  test('are hidden by the name of their label, and request objects leave only a label', () => {
    const { text } = lineOf({ clientSecret: 'plain', req: { headers: { cookie: 'a=hunter2hunter2' } } });
    assert.ok(!text.includes('plain') && !text.includes('hunter2hunter2'), text);
  });
});

test('a log that cannot be written, as on a full disk, ends nothing and goes on when it can', {
  skip: process.platform !== 'linux',
}, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'log');
  // What is at the end of file descriptor 2 is full, then a file that takes everything.
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { createLog } from '#siem/log';
    const log = createLog({ service: { name: 'sallyport', version: '0.1.0', node: 'gw1' } });
    for (let line = 0; line < 40_000; line += 1) log.warn({}, 'text');
    const { rss } = process.memoryUsage();
    closeSync(2);
    if (openSync(process.argv[1], 'w') !== 2) throw new Error('not in its place');
    log.warn({}, 'lost');
    log.warn({}, 'again');
    console.log(rss < 1024 ** 3 ? 'goes on' : 'keeps it all');`;
  const shell = 'exec "$0" --input-type=module --eval "$1" "$2" 2> /dev/full';
  const words = ['-c', shell, process.execPath, script, file];
  const { status, stdout } = spawnSync('sh', words, { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [0, 'goes on\n']);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.ok(lines.length > 1000 && lines.length < 10_000, String(lines.length));
  assert.deepEqual(new Set(lines.map((line) => JSON.parse(line).message)), new Set(['text', 'again']));
});
