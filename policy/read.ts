// Reads a policy document for tools: the document itself beside its policy, warnings and the results of its tests.

import { Compiler } from './compile.ts';
import { createPolicy } from './compiled-policy.ts';
import { capped, formatPath, nearest, type Path, type Problem, readDocument } from './document.ts';
import { checkDocument } from './language/check.ts';
import type { PolicyDocument } from './language/document.ts';
import type { Report } from './language/names.ts';
import { policySchema } from './language/schema.ts';
import { warnAbout } from './language/warnings.ts';
import { documentHash, type Policy } from './policy.ts';
import { runTests, type TestResult } from './tests.ts';

/** Names that mistyped ones are compared with; a long document full of them is told of without what was meant. */
const MAX_COMPARED = 100_000;

/** A document without mistakes, not yet compiled; or all of its mistakes. */
export type Checked =
  | {
      readonly ok: true;
      readonly document: PolicyDocument;
      readonly hash: string;
      readonly warnings: readonly Problem[];
      /** Where tests stand, for those that fail. */
      readonly problemAt: (path: Path, message: string) => Problem;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A document that was read, with its policy and the results of its tests, which may have failed. */
export type Reading =
  | {
      readonly ok: true;
      readonly document: PolicyDocument;
      readonly policy: Policy;
      readonly warnings: readonly Problem[];
      readonly tests: readonly TestResult[];
      /** One problem for each failed test. */
      readonly failures: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads, checks, compiles and tests a document. Never throws for bad text; `file` only names it in reports. */
export function readPolicy(text: string, file: string): Reading {
  const checked = checkPolicy(text, file);
  return checked.ok ? testPolicy(checked) : checked;
}

/** Reads and checks a document: everything but compiling it and running its tests. */
export function checkPolicy(text: string, file: string): Checked {
  const reading = readDocument(policySchema, text, file);
  if (!reading.ok) return reading;
  const { value: document } = reading;
  let left = MAX_COMPARED;
  const collect = (into: Problem[]): Report => {
    return (path, message, { meant, key = false } = {}) => {
      const at = key ? reading.locateKey(path) : reading.locate(path);
      left -= meant?.known.size ?? 0;
      const suggestion = meant === undefined || left < 0 ? undefined : nearest(meant.word, meant.known);
      const hint = suggestion === undefined ? {} : { suggestion };
      into.push({ file, ...at, path: formatPath(path), message, ...hint });
    };
  };
  const problems: Problem[] = [];
  checkDocument(document, collect(problems));
  if (problems.length > 0) return { ok: false, problems: capped(problems) };
  const warnings: Problem[] = [];
  warnAbout(document, collect(warnings));
  return {
    ok: true,
    document,
    hash: documentHash(text),
    warnings: inOrder(warnings),
    problemAt: (path, message) => ({ file, ...reading.locate(path), path: formatPath(path), message }),
  };
}

/** Compiles a checked document and runs its tests. */
export function testPolicy({
  document,
  hash,
  warnings,
  problemAt,
}: Checked & { ok: true }): Reading & { ok: true } {
  const compiler = new Compiler(document, document.apps);
  for (const rule of document.rules) compiler.add(rule);
  const policy = createPolicy(compiler.finish(), hash);
  const tests = runTests(policy, document.tests ?? [], document);
  const failures = tests.flatMap(({ name, index, failure }) =>
    failure === undefined ? [] : [problemAt(['tests', index], `the test \`${name}\` fails: ${failure}`)],
  );
  return { ok: true, document, policy, warnings, tests, failures };
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}
