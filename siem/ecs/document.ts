// The shape of one Elastic Common Schema document and its one-line encoding. No byte a client sends may end a line.

/** The ECS release that documents follow and tests validate against. */
export const ECS_VERSION = '9.4.0';

/** Datasets become data streams `logs-<dataset>-<namespace>`. */
export type Dataset =
  | 'sallyport.access'
  | 'sallyport.auth'
  | 'sallyport.session'
  | 'sallyport.connector'
  | 'sallyport.device'
  | 'sallyport.audit'
  | 'sallyport.health';

/** A nested set of fields. Undefined members vanish when the document is encoded. */
export interface Fields {
  readonly [name: string]: unknown;
}

/** One document. `event.sequence` is set by the outbox when the record is written. */
export interface EcsDocument {
  readonly '@timestamp': string;
  readonly message: string;
  readonly ecs: { readonly version: string };
  readonly data_stream: { readonly type: 'logs'; readonly dataset: string; readonly namespace: string };
  readonly event: { readonly id: string; sequence: number } & Fields;
  readonly [fieldset: string]: unknown;
}

const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Epoch milliseconds as ECS type `date`; undefined outside the years that four digits can say. */
export function isoTime(milliseconds: number | undefined): string | undefined {
  if (milliseconds === undefined || !(milliseconds >= 0 && milliseconds <= LAST_INSTANT)) return undefined;
  return new Date(milliseconds).toISOString();
}

/** Milliseconds as ECS counts durations, in whole nanoseconds; never negative, though clocks step back. */
export function nanoseconds(milliseconds: number | undefined): number | undefined {
  if (milliseconds === undefined || !Number.isFinite(milliseconds)) return undefined;
  return Math.round(Math.min(Math.max(0, milliseconds), 8e12) * 1e6);
}

// JSON.stringify escapes C0 controls, but not these: DEL, C1 controls (a terminal obeys them), the line
// separators some readers split on, and the bidirectional overrides that make text read as something else.
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const LONE_SURROGATE = /\\ud[89a-f]/;

/** Encodes a document as one line of JSON without the newline: pure, valid Unicode, no line break of any kind. */
export function encodeLine(document: EcsDocument): string {
  return encodeValue(document);
}

/** A record whose number is not known before it is written: answers its line, without the newline. */
export type NumberedLine = (sequence: number) => string;

/** Encodes any part of a document as it stands in the line. */
export function encodeValue(value: string | object): string {
  let text = JSON.stringify(value);
  // Many JSON readers refuse lone surrogates, and would make the whole record undeliverable.
  if (text.includes('\\ud') && LONE_SURROGATE.test(text)) text = JSON.stringify(value, wellFormed);
  // Nearly every line is ASCII, where only DEL is left to fear: looking is cheaper than replacing.
  if (Buffer.byteLength(text) === text.length && !text.includes('\u007f')) return text;
  return text.replace(UNSAFE, asEscape);
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}

function asEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Text on one line, with `instead` of whatever a terminal obeys, a reader splits on or a direction is changed by. */
export function harmless(text: string, instead: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a line.
  return text.replace(/[\u0000-\u001f]/g, instead).replace(UNSAFE, instead);
}
