// A decision's line must be the same whether a template wrote it or the mapper: for any decision, in any order.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeLine } from '#siem/ecs/document';
import { LineTemplates } from '#siem/ecs/line-templates';
import { Mapper } from '#siem/ecs/mapper';
import type { AccessDecided } from '#siem/event';
import { eventOf } from './arbitrary.ts';
import { examples } from './examples.ts';

const id = '019cb830-5000-7a00-8000-000000000001';
const time = Date.parse('2026-03-04T09:12:13.456Z');
const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });

function plain(event: AccessDecided, sequence: number): string {
  const document = mapper.document(event, id, time + sequence);
  document.event.sequence = sequence;
  return encodeLine(document);
}

/** How often the mapper was asked while `events` were written; each line must be what it would have made. */
function mapped(events: readonly AccessDecided[]): number {
  let asked = 0;
  const templates = new LineTemplates((event, ...rest) => {
    asked += 1;
    return mapper.document(event, ...rest);
  });
  for (const [sequence, event] of events.entries()) {
    assert.equal(templates.line(event, id, time + sequence, sequence), plain(event, sequence));
  }
  return asked;
}

const example = examples['access-decided'];
const { request } = example;
assert.ok(request !== undefined);

describe('a line from a template', () => {
  test('is the line of the mapper, whatever the decisions of a connection are', () => {
    // Few different members, so that many decisions are alike.
    const event = fc.array(eventOf('access-decided'), { minLength: 1, maxLength: 3 });
    const next = fc.record({ event: fc.nat(2), target: fc.nat(2), request: fc.nat(2), trace: fc.nat(2) });
    fc.assert(
      fc.property(event, fc.array(next, { minLength: 2, maxLength: 12 }), (made, choices) => {
        const one = (index: number): AccessDecided => made[index % made.length] ?? example;
        mapped(
          choices.map((choice) => ({
            ...one(choice.event),
            client: one(0).client,
            input: { ...one(choice.event).input, target: one(choice.target).input.target, at: choice.trace },
            request: one(choice.request).request,
            traceId: one(choice.trace).traceId,
          })),
        );
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  test('is the line of the mapper when any single member differs', () => {
    const events: AccessDecided[] = [example, example, example];
    // Each leaf of the example in turn becomes another value, and is put back.
    for (const changed of variants(example))
      events.push({ ...changed, client: example.client }, example, example);
    assert.ok(events.length > 150);
    mapped(events);
  });

  test('needs no mapper once two decisions were alike but for what each request has of its own', () => {
    const of = (path: string, query: string | undefined): AccessDecided => ({
      ...example,
      input: {
        ...structuredClone(example.input),
        at: path.length,
        target: { ...example.input.target, path },
      },
      request: {
        ...request,
        path,
        query,
        referrer: `https://portal.example.com${path}`,
        bodyBytes: path.length,
      },
      traceId: path,
    });
    const events = ['/', '/a', '/"\u2028\ud800', '/ä', `/${'x'.repeat(9_000)}`].map((path) =>
      of(path, `q=${path}`),
    );
    // One for the first, two to make and check the template.
    assert.equal(mapped(events), 3);
    assert.equal(
      mapped([...events, of('/b', undefined), of('/c', 'd=e')]),
      4,
      'a field that is missing: the mapper',
    );
  });

  test('is kept for connections that go on asking, and given back for the quiet ones', () => {
    let asked = 0;
    const templates = new LineTemplates((event, ...rest) => {
      asked += 1;
      return mapper.document(event, ...rest);
    });
    const busy = example;
    const quiet = { ...example, client: { ...example.client } };
    const ask = (event: AccessDecided, second: number): number => {
      asked = 0;
      templates.line(event, id, time + second * 1000, 1);
      return asked;
    };
    for (const event of [busy, quiet, busy, quiet]) ask(event, 0);
    const whole = Array.from({ length: 60 }, (_, second) => ask(busy, second));
    assert.deepEqual(new Set(whole), new Set([0]), 'asked each second: always from its template');
    assert.equal(ask(quiet, 60), 1, 'a minute of silence: as if it were new');
    assert.equal(ask(busy, 60), 0);
    assert.equal(ask(busy, -600), 0, 'the clock is set back');
  });
});

/** Copies of `value` in each of which one leaf is another. */
function variants<T>(value: T): T[] {
  if (Array.isArray(value)) {
    return value.flatMap((member, at) => variants(member).map((other) => value.with(at, other) as T));
  }
  if (typeof value === 'object' && value !== null) {
    // The kind of an event is no member that may differ.
    const members = Object.entries(value).filter(([, member]) => member !== example.kind);
    return members.flatMap(([name, member]) =>
      variants(member).map((other) => ({ ...value, [name]: other })),
    );
  }
  if (typeof value === 'string') return [`${value}x` as T];
  return [(typeof value === 'number' ? value + 1 : !value) as T];
}
