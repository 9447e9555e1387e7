// Mistakes planted in text and bytes, the same for the same dice.
import type { Dice } from './tally.ts';

/** What a text in JSON is broken with; a corpus adds words of its own. */
export const JSON_WORDS: readonly string[] = ['"', '{', '}', '[', ']', ':', ',', 'null', '0', 'A', '=='];

/** One to five mistakes in `text`: words put in, characters and lines dropped, repeated, swapped, the end cut off. */
export function mutateText(text: string, words: readonly string[], dice: Dice): string {
  let mutant = text;
  const moves = 1 + dice.below(5);
  for (let move = 0; move < moves; move += 1) {
    const at = dice.below(mutant.length + 1);
    switch (dice.below(8)) {
      case 0:
      case 1:
        mutant = mutant.slice(0, at) + dice.pick(words) + mutant.slice(at);
        break;
      case 2:
        mutant = mutant.slice(0, at) + dice.pick(words) + mutant.slice(at + dice.below(20));
        break;
      case 3:
        mutant = mutant.slice(0, at) + mutant.slice(at + 1 + dice.below(8));
        break;
      case 4:
        mutant =
          mutant.slice(0, at) +
          String.fromCharCode(dice.below(dice.chance(0.5) ? 256 : 65_536)) +
          mutant.slice(at + 1);
        break;
      case 5:
        mutant = linesOf(mutant, dice, (lines, line) =>
          lines.splice(line, 0, lines[dice.below(lines.length)] ?? ''),
        );
        break;
      case 6:
        mutant = linesOf(mutant, dice, (lines, line) => lines.splice(line, 1 + dice.below(2)));
        break;
      default:
        if (dice.chance(0.2)) mutant = mutant.slice(0, at);
    }
  }
  return mutant;
}

function linesOf(text: string, dice: Dice, change: (lines: string[], line: number) => void): string {
  const lines = text.split('\n');
  change(lines, dice.below(lines.length));
  return lines.join('\n');
}

/** One to four mistakes in `bytes`: bits, bytes, lengths, pieces. */
export function mutateBytes(bytes: Buffer, dice: Dice): Buffer {
  let mutant = Buffer.from(bytes);
  const moves = 1 + dice.below(4);
  for (let move = 0; move < moves && mutant.length > 0; move += 1) {
    const at = dice.below(mutant.length);
    switch (dice.below(6)) {
      case 0:
        mutant[at] = (mutant[at] ?? 0) ^ (1 << dice.below(8));
        break;
      case 1:
        mutant[at] = dice.pick([0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, dice.below(256)]);
        break;
      case 2:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + dice.below(8))]);
        break;
      case 3:
        mutant = Buffer.concat([
          mutant.subarray(0, at),
          Buffer.from(random(dice, 1 + dice.below(8))),
          mutant.subarray(at),
        ]);
        break;
      case 4: {
        const from = dice.below(mutant.length);
        mutant = Buffer.concat([
          mutant.subarray(0, at),
          mutant.subarray(from, from + dice.below(64)),
          mutant.subarray(at),
        ]);
        break;
      }
      default:
        if (dice.chance(0.3)) mutant = mutant.subarray(0, at);
    }
  }
  return mutant;
}

/** Other bytes than these: what comes back the same is mutated again. */
export function otherBytes(bytes: Buffer, dice: Dice): Buffer {
  for (;;) {
    const changed = mutateBytes(bytes, dice);
    if (!changed.equals(bytes)) return changed;
  }
}

function random(dice: Dice, length: number): number[] {
  return Array.from({ length }, () => dice.below(256));
}
