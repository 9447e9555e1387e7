// The codec against the protocol document: each of its vectors is decoded, and encoded again to the same bytes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Decoder } from '#connectors/wire/decoder';
import { GOAWAY_CODE, HeadError, RESET_CODE, WireError } from '#connectors/wire/error';
import { FIN, FRAME, type FrameName, frame, headerProblem } from '#connectors/wire/frame';
import {
  decodeResponse,
  decodeTrailers,
  encodeRequest,
  encodeResponse,
  encodeTrailers,
} from '#connectors/wire/head';
import { decodeHello, decodeWelcome, encodeHello } from '#connectors/wire/hello';
import { MAX_DATA, MAX_HEAD } from '#connectors/wire/limits';
import { decodeOpen, openPrefix } from '#connectors/wire/open';
import { encodeQuestion, REVIEW_PATH, reviewId } from '#connectors/wire/token-review';

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
const vectors = new Map(
  [...document.matchAll(/```hex ([^\n]+)\n([0-9a-f\s]+)```/g)].map(([, name = '', hex = '']) => [
    name,
    Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'),
  ]),
);

interface Seen {
  readonly type: number;
  readonly fin: boolean;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Decodes bytes in pieces of `size`; DATA pieces of one frame are put together. */
function decode(bytes: Buffer, size = bytes.length): Seen[] {
  const seen: Seen[] = [];
  let partial: Buffer[] = [];
  let left = 0;
  const decoder = new Decoder({
    onFrame: (type, fin, stream, payload) => seen.push({ type, fin, stream, payload: Buffer.from(payload) }),
    onData(stream, piece, fin) {
      partial.push(Buffer.from(piece));
      left += piece.length;
      if (fin || size === bytes.length) {
        seen.push({ type: FRAME.DATA, fin, stream, payload: Buffer.concat(partial) });
        partial = [];
      }
    },
  });
  for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size));
  if (partial.length > 0)
    seen.push({ type: FRAME.DATA, fin: false, stream: 1, payload: Buffer.concat(partial) });
  assert.ok(decoder.idle, 'the frame was not read to its end');
  assert.ok(left >= 0);
  return seen;
}

const QUESTION = encodeQuestion({ token: 'a.b.c', audiences: ['sallyport'] });
const ASKED = ['Content-Type', 'application/json', 'Content-Length', String(QUESTION.length)];
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const helloValue = {
  versions: [1],
  window: 262144,
  streams: 16384,
  apps: ['wiki'],
  instance: 'a',
  software: 's/1',
};
const welcomeValue = { version: 1, window: 262144, streams: 16384, instance: 'g', software: 's/1' };

/** What each vector means: type byte, stream, payload as our encoders make it, and a check of our decoders. */
const meanings: Record<
  string,
  [byte: number, stream: number, payload: Buffer, check?: (payload: Buffer) => void]
> = {
  HELLO: [FRAME.HELLO, 0, encodeHello(helloValue), (p) => assert.deepEqual(decodeHello(p), helloValue)],
  WELCOME: [
    FRAME.WELCOME,
    0,
    encodeHello(welcomeValue),
    (p) => assert.deepEqual(decodeWelcome(p), welcomeValue),
  ],
  'OPEN of an HTTP request without a body': [
    FRAME.OPEN | FIN,
    1,
    Buffer.concat([
      openPrefix('http', 'wiki'),
      latin1(encodeRequest('GET', '/a?b=1', ['Host', 'wiki.example', 'Accept', '*/*'])),
    ]),
    (p) =>
      assert.deepEqual(decodeOpen(p), {
        kind: 'http',
        app: 'wiki',
        request: { method: 'GET', path: '/a?b=1', headers: ['Host', 'wiki.example', 'Accept', '*/*'] },
      }),
  ],
  'OPEN of a question about a token': [
    FRAME.OPEN,
    5,
    Buffer.concat([openPrefix('http', reviewId('prod')), latin1(encodeRequest('POST', REVIEW_PATH, ASKED))]),
    (p) =>
      assert.deepEqual(decodeOpen(p), {
        kind: 'http',
        app: 'sallyport.token-review.prod',
        request: { method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', headers: ASKED },
      }),
  ],
  'OPEN of a TCP stream': [
    FRAME.OPEN,
    3,
    openPrefix('tcp', 'db'),
    (p) => assert.deepEqual(decodeOpen(p), { kind: 'tcp', app: 'db' }),
  ],
  HEAD: [
    FRAME.HEAD,
    1,
    latin1(encodeResponse(200, 'OK', ['Content-Type', 'text/plain', 'X-Empty', ''])),
    (p) =>
      assert.deepEqual(decodeResponse(p), {
        status: 200,
        reason: 'OK',
        headers: ['Content-Type', 'text/plain', 'X-Empty', ''],
      }),
  ],
  'HEAD that ends its direction': [FRAME.HEAD | FIN, 1, latin1(encodeResponse(204, 'No Content', []))],
  'HEAD that accepts a TCP stream': [FRAME.HEAD, 3, Buffer.alloc(0)],
  INFO: [FRAME.INFO, 1, latin1(encodeResponse(103, '', ['Link', '</s.css>; rel=preload']))],
  DATA: [FRAME.DATA, 1, latin1('hello')],
  'DATA that only ends its direction': [FRAME.DATA | FIN, 1, Buffer.alloc(0)],
  TRAILERS: [
    FRAME.TRAILERS | FIN,
    1,
    latin1(encodeTrailers(['X-Sum', 'abc'])),
    (p) => assert.deepEqual(decodeTrailers(p), ['X-Sum', 'abc']),
  ],
  RST: [FRAME.RST, 1, Buffer.concat([Buffer.of(RESET_CODE['app-unreachable']), latin1('ECONNREFUSED')])],
  WINDOW: [FRAME.WINDOW, 1, Buffer.from([0, 2, 0, 0])],
  SESSION_ACK: [FRAME.SESSION_ACK, 0, Buffer.from([0, 0, 0x80, 0])],
  PING: [FRAME.PING, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])],
  PONG: [FRAME.PONG, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])],
  GOAWAY: [FRAME.GOAWAY, 0, Buffer.of(GOAWAY_CODE['going-away'])],
};

test('the document has a vector for each frame, and no other', () => {
  assert.deepEqual([...vectors.keys()].sort(), Object.keys(meanings).sort());
  const types = new Set([...vectors.values()].map((bytes) => (bytes[3] ?? 0) & 0x7f));
  assert.deepEqual([...types].sort(), Object.values(FRAME).sort());
});

for (const [name, [byte, stream, payload, check]] of Object.entries(meanings)) {
  test(`vector: ${name}`, () => {
    const bytes = vectors.get(name) as Buffer;
    assert.equal(frame(byte, stream, payload).toString('hex'), bytes.toString('hex'));
    for (const size of [bytes.length, 1, 3, 7, 8, 9]) {
      const [seen, ...more] = decode(bytes, size);
      assert.deepEqual(more, []);
      assert.deepEqual(
        seen,
        { type: byte & 0x7f, fin: (byte & FIN) !== 0, stream, payload },
        `in pieces of ${size}`,
      );
    }
    check?.(payload);
  });
}

test('the tables of codes in the document are those of the code', () => {
  for (const [table, codes] of [
    ['RST', RESET_CODE],
    ['GOAWAY', GOAWAY_CODE],
  ] as const) {
    for (const [name, code] of Object.entries(codes)) {
      assert.ok(inTable(`${code}`, name), `${table} ${name}`);
    }
  }
  for (const [name, type] of Object.entries(FRAME)) {
    assert.ok(inTable(type.toString(16).padStart(2, '0'), name), name);
  }
});

function inTable(code: string, name: string): boolean {
  return new RegExp(`^\\| ${code} +\\| ${name} +\\|`, 'm').test(document);
}

test('a bad header is refused before its payload', () => {
  const bad: [byte: number, length: number, stream: number, why: string][] = [
    [0x00, 0, 0, 'type 0'],
    [0x7f, 0, 1, 'unknown type'],
    [FRAME.DATA, 0, 1, 'empty DATA without FIN'],
    [FRAME.DATA, MAX_DATA + 1, 1, 'long DATA'],
    [FRAME.HEAD, MAX_HEAD + 1, 1, 'long HEAD'],
    [FRAME.DATA, 1, 0, 'DATA on the session'],
    [FRAME.DATA, 1, 0x8000_0000, 'DATA on a stream past the last'],
    [FRAME.PING, 8, 1, 'PING on a stream'],
    [FRAME.PING, 7, 0, 'short PING'],
    [FRAME.PING | FIN, 8, 0, 'PING with FIN'],
    [FRAME.TRAILERS, 3, 1, 'TRAILERS without FIN'],
    [FRAME.RST | FIN, 1, 1, 'RST with FIN'],
    [FRAME.WINDOW, 5, 1, 'long WINDOW'],
    [FRAME.OPEN, 2, 1, 'short OPEN'],
    [FRAME.GOAWAY, 202, 0, 'long GOAWAY'],
    [FRAME.HELLO, 0xff_ffff, 0, 'the longest HELLO that a header can say'],
  ];
  for (const [byte, length, stream, why] of bad) {
    assert.notEqual(headerProblem(byte, length, stream), undefined, why);
    const header = Buffer.alloc(8);
    header.writeUIntBE(length, 0, 3);
    header[3] = byte;
    header.writeUInt32BE(stream, 4);
    assert.throws(() => decode(header), WireError, why);
  }
  for (const name of Object.keys(FRAME) as FrameName[]) {
    const bytes = vectors.get(name) ?? vectors.get('OPEN of a TCP stream');
    assert.ok(bytes !== undefined);
    assert.equal(
      headerProblem(bytes[3] as number, bytes.readUIntBE(0, 3), bytes.readUInt32BE(4)),
      undefined,
      name,
    );
  }
});

test('OPEN: an app id that runs past the frame, or is none, is a violation', () => {
  for (const payload of [
    Buffer.from([1, 9, 0x61]),
    Buffer.from([1, 1, 0x2f]),
    Buffer.from([9, 1, 0x61]),
    Buffer.from([1, 0, 0x61]),
  ]) {
    assert.throws(() => decodeOpen(payload), WireError);
  }
  assert.throws(() => decodeOpen(Buffer.from([3, 1, 0x61, 0x62])), HeadError);
  assert.throws(() => openPrefix('http', 'http://evil'), RangeError);
});

test('a hello is believed only within its limits', () => {
  const changes: Record<string, unknown>[] = [
    { versions: [] as number[], window: 1 },
    { versions: 'x' },
    { window: 2 ** 40 },
    { window: 1.5 },
    { streams: 0 },
    { apps: ['UPPER'] },
    { apps: ['a/b'] },
    { apps: Array.from({ length: 513 }, () => 'a') },
    { instance: 'x'.repeat(129) },
    { software: 'a\nb' },
    { software: undefined },
    { certificates: [] },
    { certificates: { wiki: 'A' } },
    { certificates: { 'a/b': 'A'.repeat(43) } },
    { certificates: Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`a${i}`, 'A'.repeat(43)])) },
  ];
  for (const change of changes) {
    const payload = Buffer.from(JSON.stringify({ ...helloValue, ...change }));
    assert.throws(() => decodeHello(payload), WireError, JSON.stringify(change));
  }
  for (const text of ['', 'null', '[]', '{', '1', '"x"'])
    assert.throws(() => decodeHello(Buffer.from(text)), WireError, text);
  assert.deepEqual(decodeHello(Buffer.from(JSON.stringify({ ...helloValue, later: true }))), helloValue);
  const shown = { ...helloValue, certificates: { wiki: 'A'.repeat(43) } };
  assert.deepEqual(decodeHello(encodeHello(shown)), shown);
  assert.throws(() => decodeWelcome(Buffer.from(JSON.stringify({ ...welcomeValue, version: 2 }))), {
    code: 'version',
  });
});
