// What an installation has recorded: its events, and whether they are complete and valid. It reads the files byte by
// byte by its own means, since the outbox's own reader would forgive what must be found here.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { violations } from '#test/siem/ecs/schema';

/** The part of an event that stories ask about. */
export interface Recorded {
  readonly '@timestamp': string;
  readonly message: string;
  readonly event: {
    readonly id: string;
    readonly sequence: number;
    readonly action: string;
    readonly kind?: string;
    readonly code?: string;
  };
  readonly user?: { readonly id?: string; readonly name?: string; readonly email?: string };
  readonly url?: { readonly path?: string; readonly domain?: string; readonly original?: string };
  readonly http?: { readonly request?: { readonly method?: string } };
  readonly sallyport?: {
    readonly app?: { readonly id: string };
    readonly connector?: { readonly name: string };
    /** Of SSH. */
    readonly certificate?: {
      readonly serial: string;
      readonly holder: string;
      readonly principals: readonly string[];
      readonly key_fingerprint: string;
      readonly authority: string;
      readonly not_after: string;
    };
    readonly decision?: {
      readonly verdict?: string;
      readonly id?: string;
      readonly nearest?: readonly { readonly unmet: readonly { readonly code: string }[] }[];
    };
  };
}

function segments(outbox: string): string[] {
  if (!existsSync(outbox)) return [];
  return readdirSync(outbox)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(outbox, name));
}

/** All events so far, oldest first. A last line without an end is still being written. */
export function eventsIn(outbox: string): Recorded[] {
  return segments(outbox).flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Recorded),
  );
}

/** Everything wrong with a record at rest: lines, numbers, ids, and each document against ECS. */
export function faultsOf(outbox: string): string[] {
  const faults: string[] = [];
  const files = segments(outbox);
  if (files.length === 0) faults.push('there is no segment');
  const ids = new Set<string>();
  let last = 0;
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n');
    if (lines.pop() !== '') faults.push(`${file}: the last line has no end`);
    for (const [index, line] of lines.entries()) {
      const at = `${file}:${index + 1}`;
      const event = parsed(line);
      if (event === undefined) {
        faults.push(`${at}: not one JSON object`);
        continue;
      }
      const { id, sequence } = event.event;
      if (sequence !== last + 1) faults.push(`${at}: number ${sequence} after ${last}`);
      if (ids.has(id)) faults.push(`${at}: the id ${id} again`);
      ids.add(id);
      last = sequence;
      faults.push(...violations(event).map((violation) => `${at}: ${violation}`));
    }
  }
  return faults;
}

function parsed(line: string): Recorded | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'event' in value ? (value as Recorded) : undefined;
  } catch {
    return undefined;
  }
}
