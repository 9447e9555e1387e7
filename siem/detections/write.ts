// Writes detections into a folder, ready to load: Sigma rules, or Elastic's rules and dashboard. It must never write
// over a file that says something else.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboardObjects } from './dashboard.ts';
import { elasticRules } from './elastic.ts';

export type Format = 'sigma' | 'elastic';

export interface WriteOptions {
  readonly formats: readonly Format[];
  /** Apps for which a new device or country matters; none: every app. */
  readonly privilegedApps: readonly string[];
}

/** A file with that name and another content is there already. */
export class DetectionsError extends Error {
  readonly code = 'file-differs';
}

/** Answers the files written. Throws DetectionsError before the first if one is there and differs. */
export function writeDetections(directory: string, options: WriteOptions): string[] {
  const files = options.formats.flatMap((format) =>
    format === 'sigma' ? sigmaFiles(options.privilegedApps) : elasticFiles(options.privilegedApps),
  );
  for (const [file, text] of files) {
    const there = textAt(join(directory, file));
    if (there !== undefined && there !== text) {
      throw new DetectionsError(
        `${join(directory, file)} is there and differs: move it away, or choose another folder`,
      );
    }
  }
  for (const [file, text] of files) {
    mkdirSync(join(directory, file, '..'), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  return files.map(([file]) => join(directory, file));
}

/** Sigma rules by file name. With `privilegedApps`, their placeholder becomes that list; without, every app. */
export function sigmaFiles(privilegedApps: readonly string[]): [string, string][] {
  const directory = join(import.meta.dirname, 'sigma');
  const apps = JSON.stringify(privilegedApps.length === 0 ? '*' : privilegedApps);
  return globSync('*.yml', { cwd: directory })
    .sort()
    .map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      return [join('sigma', file), text.replaceAll(`|expand: '%privileged_apps%'`, `: ${apps}`)];
    });
}

function elasticFiles(privilegedApps: readonly string[]): [string, string][] {
  return [
    [join('elastic', 'rules.ndjson'), lines([...elasticRules(privilegedApps).values()])],
    [join('elastic', 'dashboard.ndjson'), lines(dashboardObjects())],
  ];
}

function lines(objects: readonly unknown[]): string {
  return objects.map((one) => `${JSON.stringify(one)}\n`).join('');
}

function textAt(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
