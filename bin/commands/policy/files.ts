// Opens what the policy subcommands work on: documents and recorded decisions. Each mistake is printed once.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordDirectories } from '#gateway/workers/share';
import { formatProblems } from '#policy/document';
import { type Reading, readPolicy } from '#policy/read';
import { type RecordedDecision, readDecision } from '#policy/recorded';
import { DURATION, parseDuration } from '#policy/time/duration';
import { readOutbox } from '#siem/outbox/read';
import { describeError } from '#siem/system-error';
import { terminalLines } from '../../terminal-lines.ts';
import { whyAbsent } from '../../why-absent.ts';

export type ReadPolicy = Reading & { ok: true };

/** The text of a document, or undefined after saying why it cannot be read. */
export function readText(command: string, file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = describeError(error, file);
    process.stderr.write(`sallyport policy ${command}: cannot read ${reason}\n`);
    return undefined;
  }
}

/** A document without mistakes, or undefined after printing them. Its tests may fail. */
export function openPolicy(command: string, file: string): ReadPolicy | undefined {
  const text = readText(command, file);
  if (text === undefined) return undefined;
  const reading = readPolicy(text, file);
  if (reading.ok) return reading;
  process.stderr.write(`${formatProblems(reading.problems)}\n`);
  return undefined;
}

/** Where a state directory keeps its records, or undefined after saying that it has none. */
export function outboxOf(command: string, state: string): string | undefined {
  const outbox = join(state, 'outbox');
  if (existsSync(outbox)) return outbox;
  const workers = recordDirectories(state);
  if (workers.length > 0) {
    const each = workers.join(', or ');
    process.stderr.write(`sallyport policy ${command}: each worker has a record of its own: give ${each}\n`);
    return undefined;
  }
  const why = whyAbsent(outbox, `is ${state} a gateway's state directory?`);
  process.stderr.write(`sallyport policy ${command}: ${why}\n`);
  return undefined;
}

/** Epoch milliseconds of `30d` ago or of a date, or undefined after saying what is possible. */
export function sinceOf(command: string, text: string, now: number): number | undefined {
  const since = DURATION.test(text) ? now - parseDuration(text) : Date.parse(text);
  if (!Number.isNaN(since)) return since;
  process.stderr.write(
    `sallyport policy ${command}: --since ${JSON.stringify(text)} is no time; write 30d, 12h or 2026-03-01\n`,
  );
  return undefined;
}

/** The decisions of an outbox; undefined in place of one that cannot be read. */
export async function* recordedDecisions(
  outbox: string,
  since: number,
): AsyncGenerator<RecordedDecision | undefined> {
  for await (const { document } of readOutbox(outbox, { since })) {
    const decision = readDecision(document);
    if (decision !== 'other') yield decision;
  }
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** What is in records was chosen by whoever asked. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(terminalLines(lines));
}

export function wrongUsage(command: string, message: string): void {
  process.stderr.write(`sallyport policy ${command}: ${message}\nTry: sallyport policy ${command} --help\n`);
}
