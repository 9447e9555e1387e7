// Heads, as requests, responses and trailers are carried: none can hold a field that was not written into it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeadError } from '#connectors/wire/error';
import {
  decodeRequest,
  decodeResponse,
  decodeTrailers,
  encodeRequest,
  encodeResponse,
} from '#connectors/wire/head';
import { MAX_HEAD } from '#connectors/wire/limits';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

test('a head cannot smuggle a field, whichever end it is given to', () => {
  const fields: [string, string[]][] = [
    ['line feed in a value', ['A', 'x\nB\ny']],
    ['line feed in a name', ['A\nB', 'x']],
    ['carriage return', ['A', 'x\rB: y']],
    ['NUL', ['A', 'x\0']],
    ['beyond latin-1', ['A', '\u010a']],
    ['a name without value', ['A']],
  ];
  for (const [why, headers] of fields) {
    assert.throws(() => encodeRequest('GET', '/', headers), HeadError, why);
    assert.throws(() => encodeResponse(200, '', headers), HeadError, why);
  }
  assert.throws(() => encodeRequest('GET', '/a\nHost\nevil', []), HeadError);
  assert.throws(() => encodeResponse(200, 'OK\nSet-Cookie\na=b', []), HeadError);
  assert.throws(() => encodeRequest('GET', `/${'a'.repeat(MAX_HEAD)}`, []), HeadError);
  const blobs = [
    'GET',
    'GET\nnot-a-path',
    'GET\n//\nName',
    'G T\n/',
    'GET\n/\nBad Name\nx',
    'GET\n/\n\nx',
    'GET\n/ b',
    '\n/',
    'GET\n/\nA\nx\r',
  ];
  for (const blob of blobs)
    assert.throws(() => decodeRequest(latin1(blob), 0), HeadError, JSON.stringify(blob));
  const answers = [
    '200',
    '20\nOK',
    '099\n',
    '2000\n',
    '200\n\nA',
    '200\n\nA b\nx',
    '200\n\n:\nx',
    '-20\n',
    '200\n\nA\nx\0',
  ];
  for (const blob of answers)
    assert.throws(() => decodeResponse(latin1(blob)), HeadError, JSON.stringify(blob));
  assert.throws(() => decodeTrailers(latin1('A')), HeadError);
});
