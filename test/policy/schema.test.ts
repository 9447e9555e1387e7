// The JSON Schema for editors and the loader agree: what the schema accepts in shape the loader accepts, and what
// it refuses the loader refuses. Ajv checks the schema, so that zod does not judge its own output.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { jsonSchema } from '#policy/document';
import { policySchema } from '#policy/language/schema';
import { readPolicy } from '#policy/read';
import { policies } from './generate/policies.ts';

const schema = jsonSchema(policySchema);
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);

const accepts = (document: unknown): boolean => validate(document);
const loads = (document: unknown): boolean => readPolicy(JSON.stringify(document), 'x.json').ok;

type Tree = { [key: string]: unknown };

test('generated documents pass both', () => {
  fc.assert(
    fc.property(policies, (written) => {
      assert.ok(accepts(written), JSON.stringify(validate.errors));
      assert.ok(loads(written));
    }),
    { numRuns: 300, seed: 3 },
  );
});

test('whatever the schema refuses the loader refuses, for documents damaged in one place', () => {
  const damages: fc.Arbitrary<(node: Tree, key: string) => void> = fc.constantFrom(
    (node, key) => {
      node[`${key}x`] = node[key];
      delete node[key];
    },
    (node, key) => {
      node[key] = 17;
    },
    (node, key) => {
      node[key] = 'Not A Name!';
    },
    (node, key) => {
      node[key] = [];
    },
    (node, key) => {
      node[key] = null;
    },
    (node, key) => {
      node[key] = { [key]: node[key] };
    },
    (node, key) => {
      delete node[key];
    },
    (node) => {
      node['surplus'] = true;
    },
  );
  const counts = { refused: 0, both: 0, loaderOnly: 0 };
  fc.assert(
    fc.property(policies, damages, fc.nat(), (written, damage, where) => {
      const document = structuredClone(written) as unknown as Tree;
      const places = placesIn(document);
      const place = places[where % places.length];
      if (place === undefined) return;
      damage(place.node, place.key);
      const [bySchema, byLoader] = [accepts(document), loads(document)];
      counts.refused += byLoader ? 0 : 1;
      counts.both += bySchema === byLoader ? 1 : 0;
      counts.loaderOnly += bySchema && !byLoader ? 1 : 0;
      assert.ok(bySchema || !byLoader, `the schema refuses what loads: ${JSON.stringify(document)}`);
    }),
    { numRuns: 2000, seed: 4 },
  );
  assert.ok(counts.refused > 800);
  // What only the loader refuses is meaning: unknown names, ineffective rules.
  assert.ok(counts.loaderOnly < counts.refused / 4, JSON.stringify(counts));
});

test('the schema knows that a rule allows somebody or denies', () => {
  const rule = (keys: Tree): Tree => ({ version: 1, apps: ['a'], rules: [{ id: 'r', ...keys }] });
  assert.ok(accepts(rule({ allow: 'a', who: 'everyone' })) && accepts(rule({ deny: '*' })));
  for (const keys of [{}, { allow: 'a' }, { allow: 'a', who: 'everyone', deny: 'a' }]) {
    assert.ok(!accepts(rule(keys)) && !loads(rule(keys)), JSON.stringify(keys));
  }
});

function placesIn(node: unknown): { node: Tree; key: string }[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = Array.isArray(node) ? [] : Object.keys(node).map((key) => ({ node: node as Tree, key }));
  return [...own, ...Object.values(node).flatMap(placesIn)];
}
