// Kernel command lines that were measured and quoted. With PCR 0 to 7 those are the options of the firmware's boot
// entries (PCR 1): what a boot loader measured into PCR 8, 9 or 12 was not quoted and says nothing. A log can hide an
// entry by relabelling its event, so a rule about them only counts together with approved values of PCR 1.
import { measures, parseVariable } from './efi-variable.ts';
import { EVENT, type EventLog, type LoggedEvent } from './event-log.ts';
import type { CommandLineRule } from './records.ts';

const BOOT_ENTRY = /^Boot[0-9A-F]{4}$/;
/** Text as UEFI writes it: printable ASCII in UTF-16. */
const TEXT = /^[\x20-\x7e]+$/;

/** Of every boot entry that has one, in the order measured: nothing measured says which entry was taken. */
export function readCommandLines(log: EventLog): string[] {
  return log.events.flatMap((event) => {
    if (event.pcr !== 1) return [];
    const { type } = event;
    if (type !== EVENT.EFI_VARIABLE_BOOT && type !== EVENT.EFI_VARIABLE_BOOT2) return [];
    return commandLineOf(event) ?? [];
  });
}

function commandLineOf(event: LoggedEvent): string | undefined {
  const variable = parseVariable(event.data);
  if (variable === undefined || !BOOT_ENTRY.test(variable.name)) return undefined;
  // Firmware differs in whether it hashes the variable's data or the whole structure around them.
  if (!measures(event, event.data) && !measures(event, variable.data)) return undefined;
  const options = optionalData(variable.data);
  const text = options?.toString('utf16le').replace(/\0$/, '').trim() ?? '';
  return TEXT.test(text) ? text : undefined;
}

/** What follows the description and the device path of an EFI_LOAD_OPTION (UEFI 2.10, section 3.1.3). */
function optionalData(option: Buffer): Buffer | undefined {
  if (option.length < 8) return undefined;
  const pathLength = option.readUInt16LE(4);
  let end = 6;
  while (end + 1 < option.length && option.readUInt16LE(end) !== 0) end += 2;
  const start = end + 2 + pathLength;
  return start < option.length && (option.length - start) % 2 === 0 ? option.subarray(start) : undefined;
}

/** Undefined if the rule holds for every line. `pinned`: that the baseline has approved values for PCR 1. */
export function judgeCommandLines(
  lines: readonly string[],
  { required, forbidden }: CommandLineRule,
  pinned: boolean,
): 'command-line' | 'command-line-unknown' | undefined {
  if (lines.length === 0 || !pinned) return 'command-line-unknown';
  const holds = lines.every((line) => {
    const words = new Set(line.split(/\s+/));
    return required.every((word) => words.has(word)) && !forbidden.some((word) => words.has(word));
  });
  return holds ? undefined : 'command-line';
}
