// Documents nobody meant: whatever stands in them, loading answers with problems or a policy and never throws.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadPolicy } from '#policy/load';
import { policies } from '../generate/policies.ts';
import { choices, requestFor } from '../generate/requests.ts';

const FRAGMENTS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '- ',
  '&a ',
  '*a',
  '!!binary ',
  '!x ',
  '|\n',
  '>\n',
  '"',
  "'",
  '#',
  '---\n',
  '...\n',
  '\t',
  '\u0000',
  '\ud800',
  '\u2028',
  '__proto__: ',
  'constructor: ',
  '<<: *a',
  '? ',
  '%YAML 1.1\n',
  '0x',
  '.inf',
  '~',
];

function check(text: string): void {
  const loading = loadPolicy(text, 'hostile.yaml');
  if (loading.ok) return;
  assert.ok(loading.problems.length > 0);
  for (const { line, column, message } of loading.problems) {
    assert.ok(line >= 1 && column >= 1 && message.length > 0, JSON.stringify(loading.problems));
  }
}

test('damaged documents give problems with places, never an exception', () => {
  const damage = fc.tuple(fc.nat(), fc.nat(40), fc.constantFrom(...FRAGMENTS));
  fc.assert(
    fc.property(
      policies,
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (written, damages, pretty) => {
        let text = JSON.stringify(written, null, pretty ? 1 : 0);
        for (const [at, length, fragment] of damages) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + fragment + text.slice(start + length);
        }
        check(text);
      },
    ),
    { numRuns: 1500, seed: 11 },
  );
});

test('any text and any JSON give problems, never an exception', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), check), {
    numRuns: 3000,
    seed: 12,
  });
  const values = fc.anything({ withBigInt: false, withDate: false, withMap: false, withSet: false });
  const keys = fc.constantFrom(
    'version',
    'zone',
    'groups',
    'networks',
    'devices',
    'hours',
    'workloads',
    'apps',
    'rules',
    'tests',
  );
  const documents = fc
    .dictionary(keys, values)
    .map((document) => JSON.stringify({ version: 1, ...document }));
  fc.assert(fc.property(documents, check), { numRuns: 1500, seed: 13 });
});

test('requests with anything in them are decided, never thrown at', () => {
  fc.assert(
    fc.property(
      policies,
      choices,
      fc.dictionary(
        fc.constantFrom('at', 'subject', 'login', 'device', 'target', 'network', 'risk', 'workload'),
        fc.anything(),
      ),
      (written, choice, damage) => {
        const loading = loadPolicy(JSON.stringify(written), 'x.json');
        assert.ok(loading.ok);
        const request = requestFor(written, choice);
        const prepared = loading.policy.prepare(request.subject);
        const { verdict } = loading.policy.decide({ ...request, ...damage } as never, prepared);
        assert.ok(verdict === 'allow' || verdict === 'deny');
      },
    ),
    { numRuns: 1500, seed: 14 },
  );
});
