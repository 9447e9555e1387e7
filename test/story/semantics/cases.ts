// The exchanges by which a gateway's HTTP is compared with none: what a client may ask of nginx, one after another.

export interface Case {
  readonly name: string;
  /** Arguments of curl before the URL. */
  readonly args: readonly string[];
  readonly path: string;
}

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'];
const STATUSES = [
  200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406,
  409, 410, 412, 413, 415, 416, 418, 422, 423, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 507,
];
const FILES = [
  '/index.html',
  '/',
  '/empty.txt',
  '/one.txt',
  '/text.txt',
  '/large.bin',
  '/folder',
  '/folder/',
  '/not-there',
  '/caf%C3%A9.txt',
  '/with%20space.txt',
  "/it's(a)~name!.txt",
];
const RANGES = [
  '0-0',
  '0-99',
  '5-',
  '-7',
  '0-',
  '0-0,-1',
  '1-2,4-5,7-9',
  '99999999-',
  '3-1',
  'x',
  '0-1048575',
  '1048576-2097151',
];
const ENCODINGS = ['gzip', 'identity', 'br', 'gzip;q=0', '*', 'deflate, gzip;q=0.5'];
export const BODIES: readonly string[] = [
  '',
  'x',
  'a=1&b=2',
  '\0\u00ff binary',
  'x'.repeat(65_536),
  'y'.repeat(1_000_000),
];
const QUERIES = [
  '?',
  '?a',
  '?a=b&c=d',
  '?x=%2F..%2F',
  '?q=a+b',
  '?u=https://example.com/',
  '?p=[1]{2}|3',
  "?it's",
];
const CONDITIONS: readonly (readonly [string, string])[] = [
  ['If-Modified-Since', 'Sat, 01 Jan 2000 00:00:00 GMT'],
  ['If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT'],
  ['If-None-Match', '"nothing"'],
  ['If-None-Match', '*'],
  ['If-Match', '"nothing"'],
  ['If-Match', '*'],
  ['If-Unmodified-Since', 'Sat, 01 Jan 2000 00:00:00 GMT'],
  ['If-Range', '"nothing"'],
];

/** Well over two hundred, each named for what it asks. */
export function cases(): Case[] {
  const list: Case[] = [];
  const add = (name: string, path: string, ...args: string[]): void => void list.push({ name, path, args });
  for (const method of METHODS) {
    const args = method === 'HEAD' ? ['--head'] : ['--request', method];
    for (const path of FILES) add(`${method} ${path}`, path, ...args);
  }
  for (const status of STATUSES) add(`a ${status}`, `/status/${status}`);
  for (const status of [204, 304, 404]) add(`HEAD of a ${status}`, `/status/${status}`, '--head');
  for (const range of RANGES) {
    for (const path of ['/text.txt', '/large.bin'])
      add(`range ${range} of ${path}`, path, '--header', `Range: bytes=${range}`);
  }
  for (const encoding of ENCODINGS) {
    add(`accepting ${encoding}`, '/text.txt', '--header', `Accept-Encoding: ${encoding}`);
    add(
      `accepting ${encoding} of what is not compressed`,
      '/large.bin',
      '--header',
      `Accept-Encoding: ${encoding}`,
    );
  }
  for (const [name, value] of CONDITIONS) {
    add(`${name}: ${value}`, '/text.txt', '--header', `${name}: ${value}`);
    add(
      `${name}: ${value} with a range`,
      '/text.txt',
      '--header',
      `${name}: ${value}`,
      '--header',
      'Range: bytes=0-3',
    );
  }
  for (const query of QUERIES) {
    add(`query ${query}`, `/text.txt${query}`);
    add(`query ${query}, echoed`, `/echo${query}`);
  }
  for (const [index, body] of BODIES.entries()) {
    for (const method of ['POST', 'PUT']) {
      add(
        `${method} of body ${index} (${body.length})`,
        '/upload',
        '--request',
        method,
        '--data-binary',
        `@body-${index}`,
      );
      add(
        `${method} of body ${index}, chunked`,
        '/upload',
        '--request',
        method,
        '--data-binary',
        `@body-${index}`,
        '--header',
        'Transfer-Encoding: chunked',
      );
    }
  }
  add('a body with 100-continue', '/upload', '--data-binary', '@body-5', '--header', 'Expect: 100-continue');
  add('a body that is too large for the app', '/small', '--data-binary', '@body-5', '--header', 'Expect:');
  add('HTTP/1.0', '/text.txt', '--http1.0');
  add('a response of many headers', '/headers');
  add('a slow response', '/slow.txt');
  return list;
}
