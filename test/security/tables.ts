// Tables in docs/security/ whose every line names a test: what they hold, and whether the tests they name are there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const TESTS = join(import.meta.dirname, '..');
const DOCS = join(TESTS, '../docs');

/** A test by its file below test/ and its name there. */
export interface Shown {
  readonly file: string;
  readonly test: string;
}

interface Weakness extends Partial<Shown> {
  readonly what: string;
  /** Advisories, as examples. */
  readonly seen: string;
  readonly cannot?: string;
}

export interface WeaknessClass {
  readonly class: string;
  readonly weaknesses: readonly Weakness[];
}

export interface Standard {
  readonly standard: string;
  readonly about: string;
  readonly lines: readonly (Shown & { readonly asks: string; readonly here: string })[];
}

const read = <T>(name: string): T => parse(readFileSync(join(import.meta.dirname, name), 'utf8')) as T;
export const weaknesses = (): readonly WeaknessClass[] => read('peer-weaknesses.yaml');
const standards = (): readonly Standard[] => read('standards.yaml');

/** The line of a test's name in its file, counted from 1; undefined when it is not there. */
function lineOf({ file, test }: Shown): number | undefined {
  const path = join(TESTS, file);
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.findIndex(
    (line) =>
      line.includes(`'${test.replaceAll("'", "\\'")}'`) ||
      line.includes(`"${test}"`) ||
      line.includes(`\`${test}\``),
  );
  return at === -1 ? undefined : at + 1;
}

/** What the tables name and nobody has. */
export function missing(): string[] {
  const named = [
    ...weaknesses().flatMap((one) => one.weaknesses),
    ...standards().flatMap((one) => one.lines),
  ];
  return named.flatMap(({ file, test }) =>
    file === undefined || test === undefined || lineOf({ file, test }) !== undefined
      ? []
      : [`${file}: ${test}`],
  );
}

/** Every file that some line names, once. */
export function filesNamed(): string[] {
  const named = [
    ...weaknesses().flatMap((one) => one.weaknesses),
    ...standards().flatMap((one) => one.lines),
  ];
  return [...new Set(named.flatMap(({ file }) => file ?? []))].sort();
}

/** `result`: whether a test passed when the table was made. */
export function weaknessPage(result: (shown: Shown) => string): string {
  const parts = weaknesses().map(({ class: title, weaknesses: rows }) => {
    const lines = rows.map(({ what, seen, file, test, cannot }) =>
      file === undefined || test === undefined
        ? `| ${what} | ${seen} | cannot apply: ${cannot} | |`
        : `| ${what} | ${seen} | ${test} (${link(file)}) | ${result({ file, test })} |`,
    );
    return `## ${title}\n\n| weakness | seen in | shown by | result |\n|---|---|---|---|\n${lines.join('\n')}\n`;
  });
  return `# Weaknesses of peers, tried here\n\nPublished weaknesses of gateways, proxies, identity providers and the libraries below them. Each line has a test that\nwould fail if Sallyport had it, or says why it cannot apply. This page is made by\n\`node test/security/write-tables.ts\` from test/security/peer-weaknesses.yaml, running every test it names.\n\n${parts.join('\n')}`;
}

export function standardsPage(): string {
  const parts = standards().map(({ standard, about, lines }) => {
    const rows = lines.map(({ asks, here, file, test }) => `| ${asks} | ${here} | ${test} (${link(file)}) |`);
    return `## ${standard}\n\n${about}\n\n| asks | here | shown by |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Standards\n\nWhat standards ask of a gateway like this one, how Sallyport supports it, and the test that shows it. Supporting a line\nis not a certificate, and an installation has lines of its own to keep. This page is made by\n\`node test/security/write-tables.ts\` from test/security/standards.yaml.\n\n${parts.join('\n')}`;
}

const link = (file: string): string => `[${file}](../../test/${file})`;

export const pageFile = (name: string): string => join(DOCS, 'security', name);
