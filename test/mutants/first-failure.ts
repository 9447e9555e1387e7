// A node:test reporter that ends the process with the first test that fails: of a mistake that is caught nobody needs to
// know what else it breaks.
import type { TestEvent } from 'node:test/reporters';

export default async function* firstFailure(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type === 'test:fail' && data.todo === undefined) process.exit(1);
  }
  yield '';
}
