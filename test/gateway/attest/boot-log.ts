// Writes event logs as firmware does, with the PCR values they lead to, apart from the code under test.
import { createHash } from 'node:crypto';

export type Bank = 'sha1' | 'sha256' | 'sha384';

export const TYPE = {
  NO_ACTION: 3,
  SEPARATOR: 4,
  S_CRTM_VERSION: 8,
  VARIABLE_DRIVER_CONFIG: 0x80000001,
  VARIABLE_BOOT: 0x80000002,
  BOOT_SERVICES_APPLICATION: 0x80000003,
  BOOT_SERVICES_DRIVER: 0x80000004,
  ACTION: 0x80000007,
  VARIABLE_BOOT2: 0x8000000c,
  VARIABLE_AUTHORITY: 0x800000e0,
} as const;

const ALGORITHM: Readonly<Record<Bank, number>> = { sha1: 4, sha256: 0x0b, sha384: 0x0c };
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const SHIM = '605dab50-e046-4300-abb6-3dd810dd8b23';

export interface BootEvent {
  readonly pcr: number;
  readonly type: number;
  readonly data: Buffer;
  /** What is hashed, where that is not the data. */
  readonly measured?: Buffer;
}

export interface Boot {
  readonly log: Buffer;
  readonly pcrs: Readonly<Record<Bank, readonly Buffer[]>>;
}

const u16 = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8);

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

const u64 = (value: number): Buffer => Buffer.concat([u32(value), u32(0)]);

/** UEFI_VARIABLE_DATA */
export function variable(name: string, guid: string, data: Buffer): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const flipped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse());
  const id = Buffer.concat([...flipped, Buffer.from(rest.join(''), 'hex')]);
  return Buffer.concat([id, u64(name.length), u64(data.length), Buffer.from(name, 'utf16le'), data]);
}

export function policyEvent(name: string, data: Buffer): BootEvent {
  const guid = name.startsWith('d') ? SECURITY : GLOBAL;
  return { pcr: 7, type: TYPE.VARIABLE_DRIVER_CONFIG, data: variable(name, guid, data) };
}

/** EFI_LOAD_OPTION of a kernel that the firmware starts itself. */
export function bootEntry(number: string, commandLine: string): BootEvent {
  const description = Buffer.from('Linux\0', 'utf16le');
  const path = Buffer.from('7fff0400', 'hex');
  const options = Buffer.from(`${commandLine}\0`, 'utf16le');
  const data = Buffer.concat([u32(1), u16(path.length), description, path, options]);
  return { pcr: 1, type: TYPE.VARIABLE_BOOT2, data: variable(`Boot${number}`, GLOBAL, data) };
}

export const separator = (pcr: number): BootEvent => ({ pcr, type: TYPE.SEPARATOR, data: Buffer.alloc(4) });

export const STARTUP_LOCALITY_3: BootEvent = {
  pcr: 0,
  type: TYPE.NO_ACTION,
  data: Buffer.from('StartupLocality\0\u0003', 'latin1'),
};

/** UEFI_IMAGE_LOAD_EVENT: where an image lay and came from; hashed is the image itself. */
function imageLoad(pcr: number, type: number, image: string): BootEvent {
  const path = Buffer.from('7fff0400', 'hex');
  const data = Buffer.concat([u64(0x1000), u64(image.length), u64(0), u64(path.length), path]);
  return { pcr, type, data, measured: Buffer.from(image) };
}

const text = (pcr: number, type: number, words: string): BootEvent => ({
  pcr,
  type,
  data: Buffer.from(words),
});

/** A machine that starts Linux by shim: what `changed` says of PCR 7 and of the kernel, the rest as it always is. */
export function bootEvents(
  changed: { readonly secureBoot?: Buffer; readonly kernel?: string; readonly commandLine?: string } = {},
): BootEvent[] {
  const { secureBoot = Buffer.of(1), kernel = 'vmlinuz-6.12', commandLine = 'root=/dev/vda ro' } = changed;
  return [
    text(0, TYPE.S_CRTM_VERSION, 'V1.2.3\0'),
    ...[1, 2, 3, 4, 5].map((n) => text(0, 0x80000008, `firmware volume ${n}`)),
    policyEvent('SecureBoot', secureBoot),
    policyEvent('PK', Buffer.from('platform key')),
    policyEvent('KEK', Buffer.from('key exchange key')),
    policyEvent('db', Buffer.alloc(3000, 'db')),
    policyEvent('dbx', Buffer.alloc(12_000, 'dbx')),
    separator(7),
    text(1, 0x80000009, 'SMBIOS tables'),
    bootEntry('0000', commandLine),
    imageLoad(2, TYPE.BOOT_SERVICES_DRIVER, 'option ROM'),
    text(3, 6, 'settings'),
    ...[0, 1, 2, 3, 4, 5, 6].map(separator),
    {
      pcr: 7,
      type: TYPE.VARIABLE_AUTHORITY,
      data: variable('db', SECURITY, Buffer.alloc(1500, 'certificate of a CA')),
    },
    { pcr: 7, type: TYPE.VARIABLE_AUTHORITY, data: variable('SbatLevel', SHIM, Buffer.from('sbat,1,2024')) },
    imageLoad(4, TYPE.BOOT_SERVICES_APPLICATION, kernel),
    text(5, TYPE.ACTION, 'Exit Boot Services Invocation'),
    text(8, 13, 'kernel_cmdline: root=/dev/vda ro'),
    text(9, 13, 'initrd'),
  ];
}

export function writeLog(events: readonly BootEvent[], banks: readonly Bank[] = ['sha1', 'sha256']): Boot {
  const sizes = banks.flatMap((bank) => [u16(ALGORITHM[bank]), u16(createHash(bank).digest().length)]);
  const specId = Buffer.concat([
    Buffer.from('Spec ID Event03\0'),
    ...[u32(0), Buffer.of(0, 2, 0, 2), u32(banks.length), ...sizes, Buffer.of(0)],
  ]);
  const parts = [u32(0), u32(TYPE.NO_ACTION), Buffer.alloc(20), u32(specId.length), specId];
  const pcrs = { sha1: zeros('sha1'), sha256: zeros('sha256'), sha384: zeros('sha384') };
  for (const { pcr, type, data, measured } of events) {
    const digests = banks.flatMap((bank) => {
      const hash = createHash(bank);
      if (type === TYPE.NO_ACTION) return [u16(ALGORITHM[bank]), Buffer.alloc(hash.digest().length)];
      const digest = hash.update(measured ?? data).digest();
      const value = pcrs[bank][pcr];
      if (value !== undefined) pcrs[bank][pcr] = createHash(bank).update(value).update(digest).digest();
      return [u16(ALGORITHM[bank]), digest];
    });
    parts.push(u32(pcr), u32(type), u32(banks.length), ...digests, u32(data.length), data);
    if (type === TYPE.NO_ACTION && data.length === 17)
      for (const bank of banks) start(pcrs[bank], data[16] ?? 0);
  }
  return { log: Buffer.concat(parts), pcrs };
}

/** What a firmware extends the SHA-256 bank of a real TPM with, in order. */
export function measuredBy(events: readonly BootEvent[]): { pcr: number; digest: Buffer }[] {
  return events
    .filter(({ type }) => type !== TYPE.NO_ACTION)
    .map(({ pcr, data, measured }) => ({
      pcr,
      digest: createHash('sha256')
        .update(measured ?? data)
        .digest(),
    }));
}

function zeros(bank: Bank): Buffer[] {
  return Array.from({ length: 16 }, () => Buffer.alloc(createHash(bank).digest().length));
}

function start(pcrs: Buffer[], locality: number): void {
  pcrs[0]?.writeUInt8(locality, pcrs[0].length - 1);
}
