// Builds the graph of which source file names which, from the files alone; it must never run what it reads.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Specifier, specifiersOf } from './specifiers.ts';

/** The folders that hold source files. */
export const ROOMS: readonly string[] = ['bin', 'connectors', 'gateway', 'policy', 'siem', 'test'];

/** One arrow: a file names another file of the repository, a package, or a part of Node. */
export interface Edge extends Specifier {
  /** `policy/rule.ts`, `npm:zod`, `node:fs`, or `?` when it cannot be told. */
  readonly to: string;
}

export interface Graph {
  /** File (`policy/rule.ts`) to its edges. */
  readonly edges: ReadonlyMap<string, readonly Edge[]>;
  /** What cannot be resolved, as sentences. */
  readonly problems: readonly string[];
}

/** The part of a package specifier that npm installs: `zod/mini` is `zod`, `@a/b/c` is `@a/b`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** `imports` of package.json, without conditions: `#policy/*` to `./policy/*.ts`. */
function mapped(specifier: string, imports: Readonly<Record<string, string>>): string | undefined {
  for (const [pattern, target] of Object.entries(imports)) {
    const prefix = pattern.replace(/\*$/, '');
    if (specifier.startsWith(prefix)) {
      return posix.normalize(target.replace('*', specifier.slice(prefix.length)));
    }
  }
  return undefined;
}

/** Reads every source file below `root`. */
export function readGraph(root: string): Graph {
  const manifest: { imports: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const edges = new Map<string, readonly Edge[]>();
  const problems: string[] = [];
  const files = globSync(`{${ROOMS.join(',')}}/**/*.{ts,js}`, { cwd: root }).sort();
  for (const file of files) {
    const place = (line: number): string => `${file}:${line}`;
    const resolve = ({ kind, text, line }: Specifier): string => {
      if (text === undefined) {
        // The launcher chooses between the sources and the build, and the runners of benchmarks, faults and mutants
        // load what is named on their command line: no literal can name those.
        if (file !== 'bin/sallyport.js' && !/^test\/\w+\/run\.ts$/.test(file))
          problems.push(`${place(line)}: import() of a computed name: nobody can tell what it reaches`);
        return '?';
      }
      if (text.startsWith('node:')) return text;
      const local = text.startsWith('#') ? mapped(text, manifest.imports) : undefined;
      if (!text.startsWith('.') && local === undefined) return `npm:${packageOf(text)}`;
      const path = local ?? posix.join(posix.dirname(file), text);
      if (!existsSync(join(root, path)) && !isBuilt(path, kind)) {
        problems.push(`${place(line)}: ${text} resolves to ${path}, which does not exist`);
      }
      return path;
    };
    const specifiers = specifiersOf(readFileSync(join(root, file), 'utf8'));
    edges.set(
      file,
      specifiers.map((specifier) => ({ ...specifier, to: resolve(specifier) })),
    );
  }
  return { edges, problems };
}

/** A URL may name a folder or an asset, and a test may name what a build makes. */
function isBuilt(path: string, kind: string): boolean {
  return kind === 'worker' && (path.startsWith('dist/') || path.endsWith('/'));
}

/** Everything reachable from `start` (a file), each with the shortest chain of files that leads to it. */
export function closureOf(
  graph: Graph,
  start: string,
  follow: (file: string, edge: Edge) => boolean = () => true,
): Map<string, readonly string[]> {
  const chains = new Map<string, readonly string[]>([[start, [start]]]);
  for (const [file, chain] of chains) {
    for (const edge of graph.edges.get(file) ?? []) {
      if (follow(file, edge) && !chains.has(edge.to)) chains.set(edge.to, [...chain, edge.to]);
    }
  }
  return chains;
}

/** Cycles of imports, those for types too: whoever reads one file of a cycle has to read them all. `import()` is a seam. */
export function cyclesIn(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const { kind, to } of graph.edges.get(file) ?? []) {
      if (kind === 'import' || kind === 'type') visit(to);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.edges.keys()) visit(file);
  return cycles;
}
