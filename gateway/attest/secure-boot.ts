// Whether secure boot was on, read from the PCR 7 events of a log that replays. Event types are not hashed, so whoever
// controls the machine can relabel events: the grammar leaves no room for that, and takes nothing it does not know.
import { measures, parseVariable } from './efi-variable.ts';
import { EVENT, type EventLog, type LoggedEvent } from './event-log.ts';
import { AttestationRefusal } from './refusal.ts';

export interface SecureBoot {
  readonly enabled: boolean;
  /** Debugging, an unprotected DMA or audit mode: code that secure boot does not see may have run. */
  readonly weakened: boolean;
}

const GLOBAL = '61dfe48bca93d211aa0d00e098032b8c';
const SECURITY_DATABASE = 'cbb219d73a3d9645a3bcdad00e67656f';

/** Measured first, in this order, each once (PC Client Platform Firmware Profile, section 3.3.4.8). */
const POLICY: readonly (readonly [name: string, guid: string])[] = [
  ['SecureBoot', GLOBAL],
  ['PK', GLOBAL],
  ['KEK', GLOBAL],
  ['db', SECURITY_DATABASE],
  ['dbx', SECURITY_DATABASE],
];
/** May follow in any order, each at most once. */
const MORE_POLICY: ReadonlyMap<string, string> = new Map([
  ['dbt', SECURITY_DATABASE],
  ['dbr', SECURITY_DATABASE],
  ['AuditMode', GLOBAL],
  ['DeployedMode', GLOBAL],
  ['SetupMode', GLOBAL],
]);
/** Firmware says these of itself; they are no policy, but say what it is worth. */
const WEAKNESSES: ReadonlySet<string> = new Set(['UEFI Debug Mode', 'DMA Protection Disabled']);
const SEPARATORS: ReadonlySet<string> = new Set(['00000000', 'ffffffff']);

/**
 * Policy variables, then one separator, then the certificates that images were verified with. Throws
 * AttestationRefusal: `secure-boot-unknown` without any event, `event-type-rewritten`, `event-data-rewritten`.
 */
export function readSecureBoot(log: EventLog): SecureBoot {
  const events = log.events.filter(({ pcr }) => pcr === 7);
  if (events.length === 0) throw new AttestationRefusal('secure-boot-unknown');
  const seen = new Map<string, Buffer>();
  let weakened = false;
  let separated = false;
  for (const event of events) {
    // Digests cover the data of every type that may stand here, and of no type's name.
    if (!measures(event, event.data)) throw new AttestationRefusal('event-data-rewritten');
    if (separated) expectAuthority(event);
    else if (event.type === EVENT.SEPARATOR) separated = expectSeparator(event, seen);
    else if (event.type === EVENT.EFI_ACTION) weakened = expectWeakness(event);
    else readPolicy(event, seen);
  }
  if (!separated) throw new AttestationRefusal('event-type-rewritten');
  const on = (name: string): boolean => isOn(seen.get(name));
  return { enabled: on('SecureBoot') && !on('SetupMode'), weakened: weakened || on('AuditMode') };
}

/** One byte of 1; a variable without data is off, and any other content is no answer. */
function isOn(data: Buffer | undefined): boolean {
  if (data === undefined || data.length === 0) return false;
  const [value] = data;
  if (data.length !== 1 || (value !== 0 && value !== 1)) {
    throw new AttestationRefusal('event-data-rewritten');
  }
  return value === 1;
}

function readPolicy(event: LoggedEvent, seen: Map<string, Buffer>): void {
  const variable = parseVariable(event.data);
  if (event.type !== EVENT.EFI_VARIABLE_DRIVER_CONFIG || variable === undefined) {
    throw new AttestationRefusal('event-type-rewritten');
  }
  const { name, guid, data } = variable;
  const next = POLICY[seen.size];
  const expected = next === undefined ? MORE_POLICY.get(name) : next[0] === name ? next[1] : undefined;
  if (expected !== guid || seen.has(name)) throw new AttestationRefusal('event-type-rewritten');
  seen.set(name, data);
}

function expectSeparator({ data }: LoggedEvent, seen: ReadonlyMap<string, Buffer>): true {
  if (seen.size < POLICY.length || !SEPARATORS.has(data.toString('hex'))) {
    throw new AttestationRefusal('event-type-rewritten');
  }
  return true;
}

function expectAuthority({ type, data }: LoggedEvent): void {
  if (type !== EVENT.EFI_VARIABLE_AUTHORITY || parseVariable(data) === undefined) {
    throw new AttestationRefusal('event-type-rewritten');
  }
}

function expectWeakness({ data }: LoggedEvent): true {
  if (!WEAKNESSES.has(data.toString('latin1').replace(/\0$/, ''))) {
    throw new AttestationRefusal('event-type-rewritten');
  }
  return true;
}
