// Corpus: paths against policies. What the edge lets pass is decided as the reference decides it, and no lenient
// server's reading of the forwarded path may lead to a place that was decided otherwise.
import { canonicalTarget } from '#gateway/edge/target';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';
import { decideByReference } from '#test/policy/reference/evaluate';
import type { WrittenPolicy } from '#test/policy/reference/written';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const PATTERNS: readonly string[] = [
  ...[
    '/',
    '/**',
    '/api/**',
    '/api/users',
    '/api/users/{id}',
    '/api/*/items',
    '/Admin/**',
    '/admin',
    '/a%20b/c',
    '/x/',
    '/public/**',
  ],
];
const PIECES: readonly string[] = [
  ...[
    '/',
    '/',
    '/',
    '//',
    '/./',
    '/../',
    '/..;/',
    '/;/',
    '/%2e/',
    '/%2e%2e/',
    '/.%2E/',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%00',
    '%0a',
    '%',
    '%2',
  ],
  ...[
    '%25',
    '%252e',
    '%25%32%65',
    '%c0%ae',
    '%e0%80%af',
    '%C3%A9',
    '%41',
    '%61dmin',
    '%20',
    '+',
    ' ',
    ';',
    ';a=b',
    '?',
    '?q=/admin',
    '#',
    '#x',
  ],
  ...[
    'api',
    'users',
    'items',
    'admin',
    'ADMIN',
    'Admin',
    'public',
    'a%20b',
    'c',
    'x',
    '7',
    '*',
    '~',
    "'",
    '(',
    ')',
    '@',
    ':',
    '=',
    ',',
    '&',
    '$',
  ],
  ...[
    '"',
    '<',
    '[',
    '{',
    '|',
    '^',
    '`',
    '\x7f',
    'ü',
    '\t',
    '...',
    '..a',
    'https://wiki.example.com',
    'http:',
    '%u002e',
    '\u2215',
    '%uff0e',
  ],
];
/** Pieces that a path may have: from these alone, most paths pass the edge and are decided. */
const HONEST: readonly string[] = [
  ...[
    '/',
    '/',
    '/',
    'api',
    'users',
    'items',
    'admin',
    'Admin',
    'public',
    'a%20b',
    'c',
    'x',
    ';a=b',
    '%3B',
    '%C3%A9',
    '.x',
    '~',
    "'",
    '+',
    '?q=/admin',
  ],
];
/** Of one policy before the next. */
const PATHS_EACH = 400;

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  let passed = 0;
  while (tally.more) {
    const written = policy(dice);
    const loading = loadPolicy(JSON.stringify(written), 'generated.json');
    if (!loading.ok) throw new Error(JSON.stringify(loading.problems));
    for (let i = 0; i < PATHS_EACH && tally.more; i += 1) {
      const pieces = dice.chance(0.6) ? HONEST : PIECES;
      const raw = `/${Array.from({ length: 1 + dice.below(7) }, () => dice.pick(pieces)).join('')}`;
      const method = dice.pick(['GET', 'POST', 'DELETE']);
      tally.step(
        () => JSON.stringify({ raw, method, written }),
        () => {
          const target = canonicalTarget(raw, 'wiki.example.com');
          if (!target.ok) return;
          passed += 1;
          compare(written, loading.policy, target.path, method, tally);
        },
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (passed < tally.inputs / 4) tally.fail('(all)', `only ${passed} paths passed the edge`);
  return tally.figures();
}

function policy(dice: Dice): WrittenPolicy {
  const paths = (): string[] => Array.from({ length: 1 + dice.below(2) }, () => dice.pick(PATTERNS));
  const rules = Array.from({ length: 1 + dice.below(5) }, (_, index) => ({
    id: `r${index}`,
    ...(dice.chance(0.65) ? { allow: 'app' } : { deny: 'app' }),
    ...(dice.chance(0.85) ? { paths: paths() } : {}),
    ...(dice.chance(0.3) ? { methods: [dice.pick(['GET', 'POST'])] } : {}),
    who: 'everyone',
  }));
  return { version: 1, zone: 'UTC', apps: ['app'], rules } as WrittenPolicy;
}

function compare(written: WrittenPolicy, loaded: Policy, path: string, method: string, tally: Tally): void {
  const decided = decide(loaded, path, method);
  const expected = decideByReference(written, request(path, method)).verdict;
  if (decided !== expected) {
    if (decided === 'allow') tally.unrecordedAllows += 1;
    throw new Error(`${path}: decided ${decided}, the reference says ${expected}`);
  }
  if (decided !== 'allow') return;
  for (const [name, read] of Object.entries(READERS)) {
    const seen = read(path);
    const plain = path.replace(/;[^/]*/g, '');
    // The path without parameters is what a lenient server serves; dots and slashes may not change it further.
    if (seen !== decoded(path) && seen !== decoded(plain)) {
      tally.upstreamBytes += path.length;
      throw new Error(`${path}: ${name} reads ${seen}`);
    }
  }
}

/** How servers in the wild find a file or a route, reduced to what they do with dots, slashes and escapes. */
const READERS: Readonly<Record<string, (path: string) => string>> = {
  'a WHATWG URL parser': (path) => decoded(new URL(path, 'http://h').pathname),
  'a server that decodes and then resolves': (path) => resolved(decoded(path)),
  'a server that resolves, decodes and resolves': (path) => resolved(decoded(resolved(path))),
  'a server that cuts parameters first': (path) => resolved(decoded(path.replace(/;[^/]*/g, ''))),
  'a server that decodes twice': (path) =>
    decoded(decoded(path)) === decoded(path) ? decoded(path) : resolved(decoded(decoded(path))),
  'a server that takes backslashes for slashes': (path) => resolved(decoded(path).replaceAll('\\', '/')),
};

/** Byte by byte, as servers do; what is no escape stays. */
function decoded(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function resolved(path: string): string {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') out.pop();
    else if (segment !== '.' && (segment !== '' || last)) out.push(segment);
    if (last && (segment === '.' || segment === '..')) out.push('');
  }
  return `/${out.join('/')}`;
}

function request(path: string, method: string): AccessRequest {
  return {
    version: 1,
    at: 1_772_617_600_000,
    subject: { kind: 'user', id: 'https://id#1', groups: [], roles: [] },
    target: { app: 'app', protocol: 'http', method, path },
    network: { address: '192.0.2.1' },
  };
}

function decide(loaded: Policy, path: string, method: string): 'allow' | 'deny' {
  const asked = request(path, method);
  return loaded.decide(asked, loaded.prepare(asked.subject)).verdict;
}
