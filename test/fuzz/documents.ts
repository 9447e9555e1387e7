// Corpus: policy documents and the gateway's configuration with mistakes nobody would make. Each is refused with a
// report or taken whole; nothing throws, and no document may take long to refuse.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectorSchema } from '#connectors/config';
import { gatewaySchema } from '#gateway/config';
import { formatProblems, readDocument } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { mutateText } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const EXAMPLES = join(import.meta.dirname, '../../docs/deploy');
const POLICY = readFileSync(join(EXAMPLES, 'policy.yaml'), 'utf8');
const GATEWAY = readFileSync(join(EXAMPLES, 'gateway-1.yaml'), 'utf8');
const CONNECTOR = readFileSync(join(EXAMPLES, 'connector-1.yaml'), 'utf8');

/** What YAML and JSON readers stumble over, and words of our own in the wrong place. */
const WORDS: readonly string[] = [
  ...[
    '&a [*a]',
    '*a',
    '<<: *a',
    '!!js/function',
    '!!binary AAAA',
    '? ',
    '- - - -',
    '{{{{',
    '[[[[',
    '"',
    "'",
    '|',
    '>',
    '%YAML 9',
  ],
  ...[
    '__proto__: {a: 1}',
    'constructor: 1',
    '"__proto__": 2',
    'toString',
    'hasOwnProperty',
    '\0',
    '\u2028',
    '\ufeff',
    '\ud800',
  ],
  ...[
    '.inf',
    '.nan',
    '-0',
    '1e999',
    '0x7fffffffffffffff',
    '2147483648',
    '9007199254740993',
    '0o17',
    '1_000',
    'null',
    '~',
    'true',
  ],
  ...[
    'allow: "*"',
    'deny: []',
    'who: everyone',
    'when: {}',
    'paths: ["/**", "/../x", "/%2541"]',
    'mfa: 0s',
    'rate: 0/1m',
    'hours: x',
  ],
  ...[
    'version: 2',
    'rules: {}',
    'apps: null',
    'tests: [{}]',
    'groups: {a: {members: [a]}}',
    'zone: Mars/Base',
    'from: 2026-99-99T00:00',
  ],
  ...['(a+)+$', 'a'.repeat(5000), '['.repeat(500), '{a: '.repeat(200), '\t', '\r\n', '#', '---', '...'],
];

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const documents = [
    { text: POLICY, take: (text: string): boolean => taken(loadPolicy(text, 'policy.yaml')) },
    {
      text: GATEWAY,
      take: (text: string): boolean => taken(readDocument(gatewaySchema, text, 'gateway.yaml')),
    },
    {
      text: CONNECTOR,
      take: (text: string): boolean => taken(readDocument(connectorSchema, text, 'connector.yaml')),
    },
  ];
  // The first reading of each pays for the compiler's work, not for its input.
  for (const { text, take } of documents) for (let i = 0; i < 50; i += 1) take(text);
  while (tally.more) {
    const { text, take } = dice.chance(0.8) ? dice.pick(documents.slice(0, 1)) : dice.pick(documents);
    const mutant = mutateText(text, WORDS, dice);
    tally.step(
      () => JSON.stringify(mutant),
      () => void take(mutant),
    );
    if (tally.inputs % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return tally.figures();
}

/** A refusal must say where and why. */
function taken(
  reading: { ok: true } | { ok: false; problems: Parameters<typeof formatProblems>[0] },
): boolean {
  if (reading.ok) return true;
  const report = formatProblems(reading.problems);
  if (!/:\d+:\d+: ./.test(report)) throw new Error(`a refusal without a place or a reason: ${report}`);
  if (/undefined|\[object/.test(report)) throw new Error(`a report nobody can read: ${report}`);
  return false;
}
