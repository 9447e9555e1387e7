// docs/policy.md is run: every recipe loads with its own tests passing, every mistake gives exactly the message that
// is shown, and every code and command it names exists.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { subcommands } from '#bin/commands/policy';
import { formatProblems } from '#policy/document';
import { UNMET_CODES } from '#policy/explain';
import { loadPolicy } from '#policy/load';
import { readPolicy } from '#policy/read';

const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');

interface Fence {
  readonly title: string;
  readonly text: string;
  /** The fence that follows, where a mistake shows its message. */
  readonly next: string;
}

function fences(kind: string): Fence[] {
  const found = [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
  return found.flatMap((match, index) => {
    if (match[1] !== kind) return [];
    const before = page.slice(0, match.index).trimEnd().split('\n').at(-1) ?? '';
    return [
      { title: before.replace(/[#*]/g, '').trim(), text: match[2] ?? '', next: found[index + 1]?.[2] ?? '' },
    ];
  });
}

test('there are ten recipes and the first example, each with an allow and a deny or a shadow, and all pass', () => {
  const recipes = fences('yaml recipe');
  assert.equal(recipes.length, 11);
  for (const { title, text } of recipes) {
    const reading = readPolicy(text, title);
    assert.ok(reading.ok, reading.ok ? '' : formatProblems(reading.problems));
    // The page says itself what is not supplied yet.
    const warnings = reading.warnings.filter(({ message }) => !message.startsWith('no gateway finds out'));
    assert.equal(formatProblems([...reading.failures, ...warnings]), '', title);
    const expected = new Set(reading.document.tests?.map(({ expect }) => expect));
    assert.ok(
      expected.has('allow') && (expected.has('deny') || /mode: shadow/.test(text)),
      `${title}: ${[...expected]}`,
    );
    const rules = new Set(reading.tests.map(({ decision }) => decision.rule?.id));
    for (const { id, mode, allow } of reading.document.rules) {
      assert.ok(
        mode === 'shadow' || allow === undefined || rules.has(id),
        `${title}: no test is decided by ${id}`,
      );
    }
  }
});

test('at least twenty mistakes give exactly the message that is shown', () => {
  const mistakes = fences('yaml mistake');
  assert.ok(mistakes.length >= 20, `${mistakes.length} mistakes`);
  for (const { title, text, next } of mistakes) {
    const loading = loadPolicy(text, 'policy.yaml');
    assert.ok(!loading.ok, `${title} loads`);
    assert.equal(`${formatProblems(loading.problems)}\n`, next, title);
  }
});

test('the table of codes is the vocabulary, no more and no less', () => {
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| `([a-z-]+)` \| `[\w.]+` \|$/gm)];
  const codes = rows.flatMap(([, name, code]) => [code, `${name}-unknown`, `${name}-denied`]);
  assert.deepEqual(new Set(codes), new Set(UNMET_CODES));
});

test('every command the page names exists, and every one that exists is named', () => {
  const named = new Set(
    [...page.matchAll(/policy (\w+) (?:FILE|OLD|NEW|policy\.yaml)/g)].map(([, name]) => name),
  );
  assert.deepEqual(named, new Set(Object.keys(subcommands)));
});
