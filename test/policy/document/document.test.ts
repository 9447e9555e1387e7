// Reading documents: every problem at once, each at its place, and no way to exhaust the reader.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { formatProblems, jsonSchema, MAX_DOCUMENT_BYTES, nearest, readDocument } from '#policy/document';
import { MAX_ALIASES, MAX_DEPTH } from '#policy/document/parse';

const rule = z.strictObject({
  id: z.string(),
  allow: z.union([z.string(), z.array(z.string())]).optional(),
  mode: z.enum(['enforce', 'shadow']).optional(),
  when: z.strictObject({ mfa: z.number().optional(), country: z.array(z.string()).optional() }).optional(),
});
const schema = z.strictObject({
  version: z.literal(1),
  names: z.record(z.string().regex(/^[a-z]+$/, 'use lower case letters'), z.number()).optional(),
  rules: z.array(rule).optional(),
});

function report(text: string): string {
  const reading = readDocument(schema, text, 'p.yaml');
  assert.equal(reading.ok, false);
  return formatProblems(reading.problems);
}

test('a valid document is its value, and places can be asked for', () => {
  const reading = readDocument(schema, 'version: 1\nrules:\n  - id: a\n    when: { mfa: 8 }\n', 'p.yaml');
  assert.equal(reading.ok, true);
  assert.deepEqual(reading.value.rules, [{ id: 'a', when: { mfa: 8 } }]);
  assert.deepEqual(reading.locate(['rules', 0, 'when', 'mfa']), { line: 4, column: 18 });
  assert.deepEqual(reading.locate(['rules', 0, 'nowhere', 'x']), { line: 3, column: 5 });
});

test('every problem is reported in the order of the file, with a suggestion where one is near', () => {
  const text = [
    'version: 1',
    'names: { UP: 1, low: x }',
    'rules:',
    '  - id: a',
    '    alow: grafana',
    '    mode: shadwo',
    '  - allow: 3',
    '    when: { mfa: soon, cuontry: [DE] }',
    'extra: 1',
  ].join('\n');
  assert.equal(
    report(text),
    [
      'p.yaml:2:10: the name `UP` cannot be used: use lower case letters',
      'p.yaml:2:22: expected a number, found `x`',
      'p.yaml:5:5: unknown key `alow` (did you mean `allow`?)',
      'p.yaml:6:11: `shadwo` is not possible here; expected `enforce` or `shadow` (did you mean `shadow`?)',
      'p.yaml:7:5: the key `id` is missing',
      'p.yaml:7:12: expected text or a list, found 3',
      'p.yaml:8:18: expected a number, found `soon`',
      'p.yaml:8:24: unknown key `cuontry` (did you mean `country`?)',
      'p.yaml:9:1: unknown key `extra`; possible here: version, names, rules',
    ].join('\n'),
  );
});

test('a key that is there twice is refused, beside other problems', () => {
  assert.equal(
    report('version: 1\nrules: []\nrules: 3\nversion: 2\n'),
    'p.yaml:3:1: the key `rules` is here twice\np.yaml:4:1: the key `version` is here twice',
  );
});

test('names of the prototype chain are plain keys or refused, and pollute nothing', () => {
  assert.match(
    report('version: 1\n__proto__: { polluted: 1 }\n'),
    /2:1: `__proto__` cannot be used as a key/,
  );
  assert.match(report('version: 1\nnames: { __proto__: 1 }\n'), /`__proto__` cannot be used/);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  const reading = readDocument(schema, 'version: 1\nnames: { constructor: 1, valueof: 2 }', 'p.yaml');
  assert.equal(reading.ok, true);
  assert.deepEqual(Object.keys(reading.value.names ?? {}), ['constructor', 'valueof']);
  assert.match(report('version: 1\nconstructor: 1\n'), /unknown key `constructor`/);
});

test('an empty document says what it lacks', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n']) {
    assert.equal(report(text), 'p.yaml:1:1: the document is empty');
  }
  assert.equal(report('{}'), 'p.yaml:1:1: the key `version` is missing');
});

test('a text that was not saved as UTF-8 is refused: a deny rule for `Geschäftsführung` would be for nobody', () => {
  const text = 'version: 1\n# Geschäft\n';
  const read = (bytes: Buffer): string => report(bytes.toString('utf8'));
  const why = 'here are bytes that are no UTF-8: save the document as UTF-8';
  assert.equal(read(Buffer.from(text, 'latin1')), `p.yaml:2:8: ${why}`);
  assert.equal(read(Buffer.from(text, 'utf16le')), `p.yaml:1:2: ${why}`);
  assert.equal(read(Buffer.from(`\uFEFF${text}`, 'utf16le')), `p.yaml:1:1: ${why}`);
  for (const mark of ['', '\uFEFF'])
    assert.equal(readDocument(schema, `${mark}${text.replaceAll('\n', '\r\n')}`, 'p.yaml').ok, true);
});

test('broken text is reported where it breaks', () => {
  assert.match(report('version: [1\n'), /^p\.yaml:\d+:\d+: .*\]/);
  assert.match(report('version: 1\n---\nversion: 1\n'), /^p\.yaml:2:1: .*multiple documents/);
  assert.match(report('version: *one\n'), /^p\.yaml:1:10: alias \*one is used before &one is complete/);
  assert.match(report('version: !!binary aGk=\n'), /unknown tag/);
  assert.match(report('? [a]\n: 1\n'), /^p\.yaml:1:3: .*keys must be strings/);
});

test('aliases work for everyday use and cannot expand without end', () => {
  const reading = readDocument(schema, 'version: 1\nnames: { a: &n 5, b: *n }', 'p.yaml');
  assert.ok(reading.ok && reading.value.names?.['b'] === 5);
  const laughs = Array.from({ length: 12 }, (_, i) =>
    i === 0
      ? 'a0: &a0 [x]'
      : `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
  ).join('\n');
  assert.match(report(`version: 1\n${laughs}`), new RegExp(`more than ${MAX_ALIASES} uses of aliases`));
  assert.match(report('version: &v [*v]\n'), /alias \*v is used before &v is complete/);
});

test('depth and size are capped, and the limit is named', () => {
  const deep = `version: ${'['.repeat(MAX_DEPTH + 2)}${']'.repeat(MAX_DEPTH + 2)}`;
  assert.match(report(deep), new RegExp(`nested more than ${MAX_DEPTH} levels deep`));
  assert.match(report('['.repeat(100_000)), /nested more than|flow/i);
  assert.match(report(' '.repeat(MAX_DOCUMENT_BYTES + 1)), new RegExp(`the limit is ${MAX_DOCUMENT_BYTES}`));
});

test('a flood of problems is cut off with a count', () => {
  const text = `version: 1\n${Array.from({ length: 5000 }, (_, i) => `k${i}: 1`).join('\n')}`;
  const lines = report(text).split('\n');
  assert.equal(lines.length, 201);
  assert.match(lines.at(-1) ?? '', /and 4800 more problems/);
});

test('a union is explained by the branch the author was nearest to', () => {
  const action = z.union([
    z.strictObject({ id: z.string(), allow: z.string() }),
    z.strictObject({ id: z.string(), deny: z.string(), because: z.string().optional() }),
  ]);
  const reading = readDocument(action, 'id: a\ndeny: x\nbecuase: y\n', 'p.yaml');
  assert.ok(!reading.ok);
  assert.equal(
    formatProblems(reading.problems),
    'p.yaml:3:1: unknown key `becuase` (did you mean `because`?)',
  );
});

test('the nearest word is found within a third of its length, never an unrelated one', () => {
  assert.equal(nearest('alow', ['deny', 'allow', 'mode']), 'allow');
  assert.equal(nearest('mdoe', ['mode']), 'mode');
  assert.equal(nearest('xyz', ['mode', 'deny']), undefined);
  assert.equal(nearest('a'.repeat(10_000), ['a'.repeat(9_999)]), undefined);
});

test('the JSON Schema describes what may be written', () => {
  const emitted = jsonSchema(schema);
  assert.equal(emitted['type'], 'object');
  assert.equal(emitted['additionalProperties'], false);
});
