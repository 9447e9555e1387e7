// The rules of who may reach whom, checked on closures; a rule must name the chain that breaks it and say why.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closureOf, cyclesIn, type Edge, type Graph, readGraph } from './graph.ts';
import { tokensOf } from './specifiers.ts';

interface ClosureRule {
  readonly from: readonly string[];
  /** What the closure may hold: folders end in a slash, packages begin with `npm:`, `node:` means all of Node. */
  readonly mayReach: readonly string[];
  /** The rule is about what runs: what is named for its types alone does not count. */
  readonly running?: true;
  readonly why: string;
}

/** Parts of Node that compute and touch nothing: no file, socket, process, clock or timer. */
const PURE_NODE = ['node:assert', 'node:buffer', 'node:crypto', 'node:url', 'node:util'];

/** The one folder of the policy room that may use threads, to load a large document beside the event loop. */
const POLICY_THREAD = /^policy\/loader\//;

const CLOSURES: readonly ClosureRule[] = [
  {
    from: ['policy/'],
    mayReach: ['policy/', 'npm:zod', 'npm:yaml', ...PURE_NODE],
    why: 'a decision is a pure function of a recorded input, or replay and explanation would lie',
  },
  {
    from: ['connectors/wire/'],
    mayReach: ['connectors/wire/', 'npm:', 'node:'],
    why: 'both ends of a tunnel share the wire, so it may know neither of them',
  },
  {
    from: ['connectors/'],
    mayReach: ['connectors/', 'npm:', 'node:'],
    why: 'a connector runs beside the apps and must hold no code that decides or signs',
  },
  {
    from: ['bin/commands/connector.ts'],
    // From the lower rooms: the reader of documents and the writer of its own log.
    mayReach: ['bin/', 'connectors/', 'policy/', 'siem/', 'npm:', 'node:'],
    why: 'a connector runs beside the apps and must not even load the gateway',
  },
  {
    from: ['siem/'],
    mayReach: ['siem/', 'policy/', 'npm:', 'node:'],
    why: 'the record may name a decision but never the gateway that took it',
  },
  {
    from: ['gateway/attest/'],
    mayReach: ['gateway/', 'policy/', 'siem/', 'connectors/wire/', 'npm:', 'node:'],
    why: 'attester and verifier share the format of the evidence and no code that judges it',
  },
  {
    from: ['gateway/'],
    mayReach: ['gateway/', 'policy/', 'siem/', 'connectors/', 'npm:', 'node:'],
    why: 'the command line sits on top of the rooms, and no product code depends on a test',
  },
  {
    from: ['gateway/pki/issuer-process.ts'],
    mayReach: ['gateway/', 'siem/private-file.ts', 'connectors/', 'node:'],
    running: true,
    why: 'the process that holds the authorities’ keys runs no code of others',
  },
  {
    from: ['bin/admin-client.ts'],
    mayReach: ['bin/', 'gateway/', 'policy/', 'siem/', 'connectors/', 'npm:zod', 'node:'],
    running: true,
    why: 'a command that asks a gateway loads nothing of what answers there, and starts at once',
  },
  {
    from: ['bin/'],
    mayReach: ['bin/', 'gateway/', 'policy/', 'siem/', 'connectors/', 'npm:', 'node:'],
    why: 'no product code depends on a test',
  },
];

/** Rooms of connectors that run in different places: each may use the wire and itself. */
const CONNECTOR_ROOM = /^connectors\/([^/]+)\//;

/** Clocks, chance, I/O and process state, which the pure room may not read even without an import. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/^Date\.now$/, 'the clock'],
  [/^Date\(\)$/, 'the clock'],
  [/^Math\.random$/, 'chance'],
  [/^Temporal\.Now$/, 'the clock'],
  [/^performance\./, 'the clock'],
  [/^process\./, 'the process'],
  [/^console\./, 'the output'],
  [/^fetch\(/, 'the network'],
  [/^globalThis\./, 'a global'],
];

function allowed(rule: ClosureRule, to: string): boolean {
  return rule.mayReach.some((prefix) => (/[/:]$/.test(prefix) ? to.startsWith(prefix) : to === prefix));
}

function brokenClosures(graph: Graph, rule: ClosureRule): string[] {
  const starts = [...graph.edges.keys()].filter((file) => rule.from.some((from) => file.startsWith(from)));
  const problems = starts.flatMap((start) => {
    return [...closureOf(graph, start, (file, edge) => isFollowed(file, edge, rule))]
      .filter(
        ([to, chain]) =>
          isCode(graph, to) && !allowed(rule, to) && !(isThread(to, chain) && rule.from[0] === 'policy/'),
      )
      .map(([, chain]) => `${chain.join(' -> ')}: ${rule.why}`);
  });
  return shortest(problems);
}

/** The table of commands names them all so as to load one: what it loads is judged from there. */
function isFollowed(file: string, edge: Edge, { running }: ClosureRule): boolean {
  if (running && edge.kind === 'type') return false;
  return !(file === 'bin/commands.ts' && edge.kind === 'dynamic');
}

/** Assets (a style sheet, package.json) are read, not run. */
function isCode(graph: Graph, to: string): boolean {
  return graph.edges.has(to) || /^(npm|node):/.test(to);
}

function isThread(to: string, chain: readonly string[]): boolean {
  return to === 'node:worker_threads' && POLICY_THREAD.test(chain.at(-2) ?? '');
}

/** A broken import is reported once, by its shortest chain, not by every file that reaches it. */
function shortest(problems: readonly string[]): string[] {
  return problems.filter((one) => !problems.some((other) => other !== one && one.endsWith(` ${other}`)));
}

function crossedConnectors(graph: Graph): string[] {
  const problems: string[] = [];
  for (const [file, edges] of graph.edges) {
    const room = CONNECTOR_ROOM.exec(file)?.[1];
    for (const { to } of edges) {
      const other = CONNECTOR_ROOM.exec(to)?.[1];
      if (room !== undefined && other !== undefined && other !== room && other !== 'wire') {
        problems.push(`${file} -> ${to}: connectors/${room} and connectors/${other} share the wire only`);
      }
    }
  }
  return problems;
}

function impurities(root: string, graph: Graph): string[] {
  const files = [...graph.edges.keys()].filter(
    (file) => file.startsWith('policy/') && !POLICY_THREAD.test(file),
  );
  return files.flatMap((file) => {
    const tokens = tokensOf(readFileSync(join(root, file), 'utf8'));
    return tokens.flatMap((token, index) => {
      if (token.type !== 'word' || tokens[index - 1]?.text === '.') return [];
      const next = [1, 2].map((offset) => tokens[index + offset]?.text ?? '').join('');
      const match = IMPURE.find(([shape]) => shape.test(token.text + next));
      return match === undefined ? [] : [`${file}:${token.line}: ${token.text}${next} reads ${match[1]}`];
    });
  });
}

/** A source file named in a text is renamed by no compiler: the built package would look for it in vain. */
function namedInTexts(root: string, graph: Graph): string[] {
  const files = [...graph.edges].filter(
    ([file]) => !/^(test\/|bin\/build\.ts$|bin\/sallyport\.js$)/.test(file),
  );
  return files.flatMap(([file, edges]) => {
    const imported = new Set(edges.map(({ text }) => text));
    return tokensOf(readFileSync(join(root, file), 'utf8'))
      .filter(({ type, text }) => type === 'string' && /^[\w./-]+\.ts$/.test(text) && !imported.has(text))
      .map(
        ({ text, line }) =>
          `${file}:${line}: '${text}' is named as a text: write new URL('./${text}', import.meta.url)`,
      );
  });
}

/** Every broken rule below `root`, one sentence each; empty when the rules hold. */
export function checkArchitecture(root: string): string[] {
  const graph = readGraph(root);
  return [
    ...graph.problems,
    ...CLOSURES.flatMap((rule) => brokenClosures(graph, rule)),
    ...crossedConnectors(graph),
    ...cyclesIn(graph).map((cycle) => `${cycle.join(' -> ')}: a cycle, of which no file can be read alone`),
    ...impurities(root, graph),
    ...namedInTexts(root, graph),
  ];
}
