// The steps of one story: when one fails, those after it would only fail for its sake, and are left out visibly.
import type { TestContext } from 'node:test';

export type Step = (name: string, body: (t: TestContext) => void | Promise<void>) => Promise<void>;

export function stepsOf(t: TestContext): Step {
  let failed: string | undefined;
  return async (name, body) => {
    await t.test(name, { skip: failed !== undefined && `left out: "${failed}" failed` }, async (step) => {
      try {
        await body(step);
      } catch (error) {
        failed = name;
        throw error;
      }
    });
  };
}
