// Lines for a terminal, of which some are in the words of others: those are not to reach it as orders, or as more lines.
import { harmless } from '#siem/ecs/document';

/** Each on one line of its own, with its line feed. */
export function terminalLines(lines: readonly string[]): string {
  return lines.map((line) => `${harmless(line, '\ufffd')}\n`).join('');
}
