// A node:test reporter that ends a run with the reasons for its skips, so that none goes unseen.
import type { TestEvent } from 'node:test/reporters';

/** Yields nothing when nothing was skipped. */
export default async function* skipped(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const namesOf = new Map<string, Set<string>>();
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { skip, name, file } = event.data;
    if (skip === undefined || skip === false) continue;
    const reason = typeof skip === 'string' && skip !== '' ? skip : 'skipped without a reason';
    const place = file?.replace(/^.*\/test\//, 'test/') ?? '';
    const names = namesOf.get(reason) ?? new Set();
    namesOf.set(reason, names.add(`${place}: ${name}`));
  }
  for (const [reason, names] of namesOf) {
    yield `\n${reason}\n${[...names].map((name) => `  ${name}\n`).join('')}`;
  }
}
