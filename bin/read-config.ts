// Reads a configuration document for a command, or says on stderr everything that is wrong with it.
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { formatProblems, readDocument } from '#policy/document';
import { describeSystemError } from '#siem/system-error';

/** The value of `file` checked against `schema`, or undefined after its problems were printed. */
export function readConfig<T>(file: string, schema: z.ZodType<T>): T | undefined {
  const text = readText(file);
  return text === undefined ? undefined : parseConfig(text, file, schema);
}

/** The text of `file`, or undefined after it was said that there is none. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason =
      describeSystemError(error, file === '' ? 'no name' : file) ?? `${file}: ${(error as Error).message}`;
    process.stderr.write(`${reason}. Name the configuration with --config FILE.\n`);
    return undefined;
  }
}

/** The value of `text` checked against `schema`, or undefined after its problems were printed. */
export function parseConfig<T>(text: string, file: string, schema: z.ZodType<T>): T | undefined {
  const reading = readDocument(schema, text, file);
  if (reading.ok) return reading.value;
  const count = reading.problems.length;
  process.stderr.write(
    `${formatProblems(reading.problems)}\n${count} problem${count === 1 ? '' : 's'}; nothing was started or changed.\n`,
  );
  return undefined;
}
