// Runs a document's own tests with the evaluator that will decide in production.
import type { Decision } from './decision.ts';
import type { AccessRequest } from './input.ts';
import { SOME_INSTANT } from './language/check-tests.ts';
import type { Definitions, TestDocument } from './language/document.ts';
import { parseInstant, requestOf } from './language/request.ts';
import type { Policy } from './policy.ts';

/** What one test expected and got. */
export interface TestResult {
  readonly name: string;
  /** Position in the document's `tests`. */
  readonly index: number;
  readonly passed: boolean;
  readonly decision: Decision;
  /** What was expected and what was got, when it failed. */
  readonly failure?: string;
}

/** The tests must have passed `checkTests` for these definitions. */
export function runTests(
  policy: Policy,
  tests: readonly TestDocument[],
  definitions: Definitions,
): TestResult[] {
  return tests.map((test, index) => {
    const request = requestOfTest(test, definitions);
    const decision = policy.decide(request, policy.prepare(request.subject));
    const failure = failureOf(test, decision, () => policy.explain(request).remedy.kind);
    return {
      name: test.name,
      index,
      passed: failure === undefined,
      decision,
      ...(failure === undefined ? {} : { failure }),
    };
  });
}

/** The requests that tests describe. */
export function testRequests(tests: readonly TestDocument[], definitions: Definitions): AccessRequest[] {
  return tests.map((test) => requestOfTest(test, definitions));
}

function requestOfTest(test: TestDocument, definitions: Definitions): AccessRequest {
  const at = test.at === undefined ? SOME_INSTANT : parseInstant(test.at, definitions.zone);
  return requestOf(test, definitions, at);
}

function failureOf(test: TestDocument, decision: Decision, remedyOf: () => string): string | undefined {
  const got =
    decision.rule === undefined
      ? `${decision.verdict} (${decision.reason})`
      : `${decision.verdict} by \`${decision.rule.id}\``;
  if (decision.verdict !== test.expect) return `expected ${test.expect}, got ${got}`;
  if (test.rule !== undefined && decision.rule?.id !== test.rule) {
    return `expected ${test.expect} by \`${test.rule}\`, got ${got}`;
  }
  if (test.remedy === undefined) return undefined;
  const remedy = remedyOf();
  return remedy === test.remedy ? undefined : `expected the remedy ${test.remedy}, got ${remedy}`;
}
