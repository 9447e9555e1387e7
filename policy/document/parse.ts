// Turns YAML text into plain values while remembering where each one stands; it must never expand a document
// beyond the limits below, whatever anchors and nesting it uses.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml';

/** Keys and list positions from the root of a document. */
export type Path = readonly (string | number)[];

/** A place in a text, counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something wrong with the text itself, before any schema is asked. */
export interface Fault {
  readonly at: Position;
  readonly path: Path;
  readonly message: string;
}

/** What the text holds. `value` may be validated only when `wellFormed`; `faults` may hold more than syntax. */
export interface Source {
  readonly wellFormed: boolean;
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /** Where the value at `path` stands, or the nearest value around it that exists. */
  locate(path: Path): Position;
  /** Where the key that ends `path` stands. */
  locateKey(path: Path): Position;
}

/** Deeper nesting is refused: no document needs it, and recursion over it could exhaust the stack. */
export const MAX_DEPTH = 64;
/** Uses of YAML aliases in one document, counted as they expand: stops "billion laughs". */
export const MAX_ALIASES = 100;
/** Values in one document after expansion. */
const MAX_VALUES = 2_000_000;

const START: Position = { line: 1, column: 1 };
/** What is left of bytes that are no UTF-8, and of UTF-16: with those in it a name is another one, which nobody has. */
const UNDECODED = /[\uFFFD\0]/;
const CORE_TAG = /^tag:yaml\.org,2002:(map|seq|str|int|float|bool|null)$/;

/** Reads one YAML 1.2 document (JSON is one too). Never throws for bad text. */
export function parseYaml(text: string): Source {
  const undecoded = UNDECODED.exec(text);
  if (undecoded !== null) {
    const before = text.slice(0, undecoded.index).split('\n');
    const at = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    return unreadable('here are bytes that are no UTF-8: save the document as UTF-8', at);
  }
  const lines = new LineCounter();
  const document = parse(text, lines);
  if (document === undefined) return unreadable(`nested more than ${MAX_DEPTH} levels deep`);
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return line === 0 ? START : { line, column: col };
  };
  const syntax = document.errors.map(({ pos, message }) => ({
    at: place(pos[0]),
    path: [],
    message: lowered(message),
  }));
  const finder = new Finder(document.contents);
  const locators = {
    locate: (path: Path) => place(finder.find(path).value),
    locateKey: (path: Path) => place(finder.find(path).key),
  };
  if (syntax.length > 0) return { wellFormed: false, value: undefined, faults: syntax, ...locators };
  const conversion = new Conversion(place);
  const value = conversion.convert(document.contents, 0);
  if (value === null && conversion.faults.length === 0) {
    const fault = { at: START, path: [], message: 'the document is empty' };
    return { wellFormed: false, value, faults: [fault], ...locators };
  }
  return { wellFormed: !conversion.exhausted, value, faults: conversion.faults, ...locators };
}

function unreadable(message: string, at = START): Source {
  const fault = { at, path: [], message };
  return {
    wellFormed: false,
    value: undefined,
    faults: [fault],
    locate: () => START,
    locateKey: () => START,
  };
}

type Parsed = Document.Parsed<ParsedNode, true>;

/** Undefined when the parser ran out of stack, which only nesting without end can cause. */
function parse(text: string, lineCounter: LineCounter): Parsed | undefined {
  try {
    return parseDocument<ParsedNode>(text, {
      lineCounter,
      version: '1.2',
      prettyErrors: false,
      stringKeys: true,
      // Checked below with a set: the parser's own check compares every pair of keys.
      uniqueKeys: false,
      logLevel: 'error',
    }) as Parsed;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** One walk over the nodes, in the order of the text, within the limits. */
class Conversion {
  readonly faults: Fault[] = [];
  exhausted = false;
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #place: (offset: number) => Position;
  /** Where the walk is; copied only into faults. */
  readonly #path: (string | number)[] = [];
  #aliases = 0;
  #values = 0;

  constructor(place: (offset: number) => Position) {
    this.#place = place;
  }

  convert(node: ParsedNode | null, depth: number): unknown {
    if (node === null || this.exhausted) return null;
    this.#values += 1;
    if (this.#values > MAX_VALUES) return this.#stop(node, `more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) return this.#stop(node, `nested more than ${MAX_DEPTH} levels deep`);
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > MAX_ALIASES) return this.#stop(node, `more than ${MAX_ALIASES} uses of aliases`);
      const target = this.#anchors.get(node.source);
      if (target !== undefined) return this.convert(target, depth + 1);
      this.#fault(node, `alias *${node.source} is used before &${node.source} is complete`);
      return null;
    }
    if (node.tag !== undefined && !CORE_TAG.test(node.tag)) this.#fault(node, `unknown tag ${node.tag}`);
    const value = this.#plain(node, depth);
    // Registered when complete, so that an anchor can never contain itself.
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    return value;
  }

  #plain(node: ParsedNode, depth: number): unknown {
    if (isSeq<ParsedNode>(node)) {
      return node.items.map((item, index) => this.#inside(index, item, depth));
    }
    if (!isMap<ParsedNode, ParsedNode | null>(node)) return isScalar(node) ? node.value : null;
    const map: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (name === '__proto__') this.#fault(key, '`__proto__` cannot be used as a key');
      else if (Object.hasOwn(map, name)) this.#fault(key, `the key \`${name}\` is here twice`);
      else map[name] = this.#inside(name, value, depth);
    }
    return map;
  }

  #inside(part: string | number, node: ParsedNode | null, depth: number): unknown {
    this.#path.push(part);
    const value = this.convert(node, depth + 1);
    this.#path.pop();
    return value;
  }

  #stop(node: ParsedNode, message: string): null {
    this.exhausted = true;
    this.#fault(node, message);
    return null;
  }

  #fault(node: ParsedNode, message: string): void {
    this.faults.push({ at: this.#place(node.range[0]), path: [...this.#path], message });
  }
}

/** Offsets of the value at a path and of its key, following the text as far as it goes. */
class Finder {
  readonly #root: ParsedNode | null;
  /** Of mappings that were asked about: a thousand mistakes in one must not go through it a thousand times. */
  readonly #pairs = new WeakMap<YAMLMap<ParsedNode, ParsedNode | null>, ReadonlyMap<unknown, ParsedPair>>();

  constructor(root: ParsedNode | null) {
    this.#root = root;
  }

  find(path: Path): { value: number; key: number } {
    let node = this.#root;
    let place = { value: node?.range[0] ?? 0, key: node?.range[0] ?? 0 };
    for (const part of path) {
      if (isMap<ParsedNode, ParsedNode | null>(node)) {
        const pair = this.#pairsOf(node).get(part);
        if (pair === undefined) return place;
        const key = pair.key.range[0];
        const empty = pair.value === null || pair.value.range[0] === pair.value.range[1];
        place = { key, value: empty || pair.value === null ? key : pair.value.range[0] };
        node = pair.value;
      } else if (isSeq<ParsedNode>(node)) {
        const item: ParsedNode | undefined = typeof part === 'number' ? node.items[part] : undefined;
        if (item === undefined) return place;
        place = { key: item.range[0], value: item.range[0] };
        node = item;
      } else {
        return place;
      }
    }
    return place;
  }

  #pairsOf(map: YAMLMap<ParsedNode, ParsedNode | null>): ReadonlyMap<unknown, ParsedPair> {
    const known = this.#pairs.get(map);
    if (known !== undefined) return known;
    const pairs = new Map<unknown, ParsedPair>();
    for (const pair of map.items) if (isScalar(pair.key)) pairs.set(String(pair.key.value), pair);
    this.#pairs.set(map, pairs);
    return pairs;
  }
}

type ParsedPair = YAMLMap<ParsedNode, ParsedNode | null>['items'][number];
