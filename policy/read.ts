// Reads a policy document for tools: the document itself beside its policy, warnings and the results of its tests.
import { Compiler } from './compile.ts';
import { formatPath, type Problem, readDocument } from './document.ts';
import { checkDocument } from './language/check.ts';
import type { PolicyDocument } from './language/document.ts';
import type { Report } from './language/names.ts';
import { policySchema } from './language/schema.ts';
import { warnAbout } from './language/warnings.ts';
import { createPolicy, documentHash, type Policy } from './policy.ts';
import { runTests, type TestResult } from './tests.ts';

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
  const reading = readDocument(policySchema, text, file);
  if (!reading.ok) return reading;
  const { value: document } = reading;
  const collect = (into: Problem[]): Report => {
    return (path, message, { suggestion, key = false } = {}) => {
      const at = key ? reading.locateKey(path) : reading.locate(path);
      into.push({
        file,
        ...at,
        path: formatPath(path),
        message,
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    };
  };
  const problems: Problem[] = [];
  checkDocument(document, collect(problems));
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) };
  const compiler = new Compiler(document, document.apps);
  for (const rule of document.rules) compiler.add(rule);
  const policy = createPolicy(compiler.finish(), documentHash(text));
  const warnings: Problem[] = [];
  warnAbout(document, collect(warnings));
  const tests = runTests(policy, document.tests ?? [], document);
  const failures: Problem[] = [];
  const report = collect(failures);
  for (const { name, index, failure } of tests) {
    if (failure !== undefined) report(['tests', index], `the test \`${name}\` fails: ${failure}`);
  }
  return { ok: true, document, policy, warnings: inOrder(warnings), tests, failures };
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}
