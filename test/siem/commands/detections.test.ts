// `sallyport siem detections` through the real command line: what it writes is there whole, and nothing is overwritten.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const shipped = (format: string): number =>
  globSync(join(import.meta.dirname, '../../../siem/detections', format, '*.yml')).length;
const main = join(import.meta.dirname, '../../../bin/main.ts');

function detections(...argv: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'siem', 'detections', ...argv], {
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-detections-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'out');
}

test('writes both formats, a second time without a change, and never over something else', (t) => {
  const out = folder(t);
  const { code, out: said } = detections('--out', out, '--privileged-app', 'vault.prod');
  assert.equal(code, 0);
  assert.deepEqual(
    said.trim().split('\n').sort(),
    globSync('*/*', { cwd: out })
      .map((file) => join(out, file))
      .sort(),
  );
  const rules = readFileSync(join(out, 'elastic/rules.ndjson'), 'utf8').trim().split('\n');
  assert.equal(rules.length, shipped('elastic'));
  for (const rule of rules) JSON.parse(rule);
  assert.ok(rules.some((rule) => rule.includes('vault.prod')));
  const objects = readFileSync(join(out, 'elastic/dashboard.ndjson'), 'utf8').trim().split('\n');
  assert.deepEqual(
    objects.map((object) => JSON.parse(object).type),
    ['index-pattern', 'dashboard'],
  );
  assert.equal(detections('--out', out, '--privileged-app', 'vault.prod').code, 0);
  appendFileSync(join(out, 'sigma/new-device.yml'), '# mine\n');
  const again = detections('--out', out, '--privileged-app', 'vault.prod');
  assert.equal(again.code, 1);
  assert.match(again.err, /new-device\.yml is there and differs: move it away/);
});

test('writes one format when asked', (t) => {
  const out = folder(t);
  assert.equal(detections('--out', out, '--format', 'sigma').code, 0);
  assert.equal(globSync('sigma/*.yml', { cwd: out }).length, shipped('sigma'));
  assert.equal(globSync('elastic/*', { cwd: out }).length, 0);
});

test('says what is wrong with its options', (t) => {
  const out = folder(t);
  for (const [argv, message] of [
    [[], /Give --out DIR/],
    [['--out', out, '--format', 'toml'], /--format is sigma or elastic, not "toml"/],
    [['--out', out, '--privileged-app', 'a" or "b'], /--privileged-app is the name of an app/],
  ] as const) {
    const { code, err } = detections(...argv);
    assert.equal(code, 2);
    assert.match(err, message);
  }
});
