// Writes decisions faster than they can be mapped and encoded: of each connection the last line is kept as a template, in
// which only what changes from request to request is filled in. A template that does not give the very same line as
// the mapper is not used.
import { randomBytes } from 'node:crypto';
import type { AccessRequest } from '#policy/input';
import type { AccessDecided } from '../event.ts';
import type { HttpRequest, Peer } from '../parties.ts';
import { decisionMessage } from './access.ts';
import { type EcsDocument, encodeLine, encodeValue } from './document.ts';
import { originOf, pathOf, redactQuery } from './parts.ts';

/** What of a document is its own, beside its event. */
interface Stamp {
  readonly id: string;
  readonly timestamp: string;
  readonly sequence: number;
}

type Value = string | number | undefined;

/** The fields that change from request to request, and what is in them. Undefined: the field is not there. */
const CHANGING: readonly (readonly [field: string, value: (event: AccessDecided, stamp: Stamp) => Value])[] =
  [
    ['@timestamp', (_, { timestamp }) => timestamp],
    ['message', decisionMessage],
    ['event.id', (_, { id }) => id],
    ['event.sequence', (_, { sequence }) => sequence],
    ['url.path', ({ request }) => (request === undefined ? undefined : pathOf(request))],
    ['url.query', ({ request }) => (request?.query === undefined ? undefined : redactQuery(request.query))],
    ['http.request.referrer', ({ request }) => originOf(request?.referrer)],
    ['http.request.body.bytes', ({ request }) => request?.bodyBytes],
    ['trace.id', ({ traceId }) => traceId],
    ['sallyport.decision.input.at', ({ input }) => input.at],
    ['sallyport.decision.input.target.path', ({ input }) => input.target.path],
  ];

/** Members that a template depends on: all but those that CHANGING reads. Each is named, so that none is forgotten. */
type Members<T> = { readonly [Name in keyof T]-?: 'same' | 'changes' };

function sameOf<T>(members: Members<T>): readonly (keyof T)[] {
  return (Object.keys(members) as (keyof T)[]).filter((name) => members[name] === 'same');
}

const EVENT = sameOf<AccessDecided>({
  kind: 'same',
  decision: 'same',
  policyHash: 'same',
  input: 'changes',
  explanation: 'same',
  client: 'same',
  request: 'changes',
  session: 'same',
  traceId: 'changes',
  connector: 'same',
  acting: 'same',
  status: 'same',
});
const INPUT = sameOf<AccessRequest>({
  version: 'same',
  at: 'changes',
  subject: 'same',
  login: 'same',
  device: 'same',
  target: 'changes',
  network: 'same',
  risk: 'same',
  ticket: 'same',
  approved: 'same',
  workload: 'same',
  connector: 'same',
});
const TARGET = sameOf<AccessRequest['target']>({
  app: 'same',
  protocol: 'same',
  method: 'same',
  path: 'changes',
});
const REQUEST = sameOf<HttpRequest>({
  method: 'same',
  host: 'same',
  port: 'same',
  path: 'changes',
  query: 'changes',
  httpVersion: 'same',
  userAgent: 'same',
  referrer: 'changes',
  bodyBytes: 'changes',
});

function sameMembers<T extends object>(a: T, b: T, names: readonly (keyof T)[]): boolean {
  for (const name of names) if (!same(a[name], b[name])) return false;
  return true;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const names = Object.keys(a) as (keyof typeof a)[];
  return Object.keys(b).length === names.length && sameMembers(a, b, names);
}

function alike(a: AccessDecided, b: AccessDecided): boolean {
  return (
    sameMembers(a, b, EVENT) &&
    sameMembers(a.input, b.input, INPUT) &&
    sameMembers(a.input.target, b.input.target, TARGET) &&
    (a.request === b.request ||
      (a.request !== undefined && b.request !== undefined && sameMembers(a.request, b.request, REQUEST)))
  );
}

// Most text is harmless, and telling so is cheaper than encoding it.
const HARMLESS = /^[ !#-[\]-~]*$/;

function encoded(value: string | number): string {
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}` : 'null';
  return HARMLESS.test(value) ? `"${value}"` : encodeValue(value);
}

// Nobody else knows it, so nothing that a client sends looks like the place of a field.
const MARK = `@${randomBytes(16).toString('hex')}@`;
const PLACE = new RegExp(`"${MARK}(\\d+)"`);

/** `pieces`: text, then the number of a field in CHANGING, and so on in turns. */
class Template {
  readonly #pieces: string[];
  /** By field: where it stands in the pieces; -1 if it is not there. */
  readonly #places: readonly number[];

  constructor(document: EcsDocument) {
    const marked = JSON.parse(JSON.stringify(document)) as EcsDocument;
    for (const [index, [field]] of CHANGING.entries()) mark(marked, field.split('.'), `${MARK}${index}`);
    this.#pieces = encodeLine(marked).split(PLACE);
    this.#places = CHANGING.map((_, index) =>
      this.#pieces.findIndex((piece, at) => at % 2 === 1 && piece === `${index}`),
    );
  }

  /** Undefined if the event has not the same fields. */
  fill(event: AccessDecided, stamp: Stamp): string | undefined {
    for (let index = 0; index < CHANGING.length; index++) {
      const place = this.#places[index] as number;
      const value = CHANGING[index]?.[1](event, stamp);
      if ((value === undefined) !== (place === -1)) return undefined;
      if (value !== undefined) this.#pieces[place] = encoded(value);
    }
    return this.#pieces.join('');
  }
}

/** Replaces a field of a document, if it is there. */
function mark(document: object, [name = '', ...rest]: readonly string[], text: string): void {
  const holder = document as Record<string, unknown>;
  const value = holder[name];
  if (value === undefined) return;
  if (rest.length === 0) holder[name] = text;
  else if (typeof value === 'object' && value !== null) mark(value, rest, text);
}

interface Kept {
  readonly event: AccessDecided;
  /** Made when a second event is alike; undefined if none can be. */
  template?: Template | undefined;
  tried: boolean;
}

/** Milliseconds after which a connection that asked for nothing is no longer kept in mind, up to twice as long. */
const FORGET_AFTER = 5_000;

export class LineTemplates {
  readonly #document: (event: AccessDecided, id: string, time: number) => EcsDocument;
  /** By what is known of a connection; the quiet ones go with the older half, since a template takes some kilobytes. */
  #kept = new WeakMap<Peer, Kept>();
  #older = new WeakMap<Peer, Kept>();
  #turned = 0;
  #time = Number.NaN;
  #timestamp = '';

  constructor(document: (event: AccessDecided, id: string, time: number) => EcsDocument) {
    this.#document = document;
  }

  line(event: AccessDecided, id: string, time: number, sequence: number): string {
    const kept = this.#keptOf(event.client, time);
    if (kept === undefined || !alike(kept.event, event)) {
      this.#kept.set(event.client, { event, tried: false });
      return this.#plain(event, id, time, sequence);
    }
    const stamp = { id, timestamp: this.#timestampOf(time), sequence };
    if (!kept.tried) this.#try(kept, event, stamp, time);
    return kept.template?.fill(event, stamp) ?? this.#plain(event, id, time, sequence);
  }

  #keptOf(client: Peer, time: number): Kept | undefined {
    // Also when the clock was set back.
    if (Math.abs(time - this.#turned) > FORGET_AFTER) {
      this.#turned = time;
      this.#older = this.#kept;
      this.#kept = new WeakMap();
    }
    const kept = this.#kept.get(client);
    if (kept !== undefined) return kept;
    const before = this.#older.get(client);
    if (before !== undefined) this.#kept.set(client, before);
    return before;
  }

  #plain(event: AccessDecided, id: string, time: number, sequence: number): string {
    const document = this.#document(event, id, time);
    document.event.sequence = sequence;
    return encodeLine(document);
  }

  #try(kept: Kept, event: AccessDecided, stamp: Stamp, time: number): void {
    kept.tried = true;
    const template = new Template(this.#document(event, stamp.id, time));
    if (template.fill(event, stamp) === this.#plain(event, stamp.id, time, stamp.sequence)) {
      kept.template = template;
    }
  }

  /** Many events share a millisecond. */
  #timestampOf(time: number): string {
    if (time !== this.#time) {
      this.#time = time;
      this.#timestamp = new Date(time).toISOString();
    }
    return this.#timestamp;
  }
}
