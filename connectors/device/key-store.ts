// What enrolment leaves on a machine: which gateway, which device, and the TPM's wrapped keys. No secret of worth
// without the TPM, yet private all the same: whoever can change it can make this machine attest as nobody.
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { looseness } from '#connectors/wire/private-file';
import type { DeviceKeys } from './attester.ts';
import type { TpmKey } from './tpm/tpm.ts';

/** One machine's enrolment at one gateway. */
export interface DeviceState {
  /** The portal's origin. */
  readonly portal: string;
  /** PEM to trust for the portal instead of the system's authorities. */
  readonly ca?: string;
  readonly device: string;
  readonly name: string;
  /** As given to `openTpm`. */
  readonly tpm: string;
  readonly keys: DeviceKeys;
}

/** The machine is not enrolled, or not safely. `message` says what to do. */
export class KeyStoreError extends Error {
  readonly code: 'not-enrolled' | 'loose-mode' | 'unreadable';
  constructor(code: KeyStoreError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const FILE = 'device.json';
const ENROL = 'Run: sallyport device enrol --token-file FILE';

/** Beside the credentials of `sallyport login`. */
export function deviceFile(credentials: string): string {
  return join(dirname(credentials), FILE);
}

/** Whole or not at all. @throws {KeyStoreError} as `preparePlace`. */
export function writeDevice(file: string, state: DeviceState): void {
  preparePlace(file);
  const json = JSON.stringify(state, function (this: Record<string, unknown>, name, value: unknown) {
    const own = this[name];
    return Buffer.isBuffer(own) ? own.toString('base64url') : value;
  });
  const next = `${file}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, `${json}\n`, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(next, file);
}

/**
 * That an enrolment could be written there: asked before the gateway is, whose token is spent by then. Throws what the
 * file system says. @throws {KeyStoreError} when the directory is open to others.
 */
export function preparePlace(file: string): void {
  const directory = dirname(file);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  requirePrivate(directory);
  accessSync(directory, constants.W_OK);
}

/** `enrol`: how to enrol, for who has to. @throws {KeyStoreError} */
export function readDevice(file: string, enrol: string = ENROL): DeviceState {
  if (!existsSync(file)) throw new KeyStoreError('not-enrolled', `This machine is not enrolled. ${enrol}`);
  requirePrivate(dirname(file));
  requirePrivate(file);
  let state: Record<string, unknown>;
  try {
    state = (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> | null) ?? {};
  } catch {
    throw new KeyStoreError('unreadable', `${file} cannot be read as JSON. ${enrol}`);
  }
  const { portal, ca, device, name, tpm, keys } = state;
  const { endorsement, attestation, session } = (keys ?? {}) as Record<string, unknown>;
  const texts = [portal, device, name, tpm, endorsement];
  const whole = texts.every((text) => typeof text === 'string') && isKey(attestation) && isKey(session);
  if (!whole || (ca !== undefined && typeof ca !== 'string')) {
    throw new KeyStoreError('unreadable', `${file} is incomplete. ${enrol}`);
  }
  const [origin = '', id = '', called = '', address = '', kind = ''] = texts as string[];
  return {
    ...{ portal: origin, device: id, name: called, tpm: address },
    ...(ca === undefined ? {} : { ca }),
    keys: { endorsement: kind, attestation: keyFrom(attestation), session: keyFrom(session) },
  };
}

type StoredKey = Readonly<Record<keyof TpmKey, string>>;

function isKey(value: unknown): value is StoredKey {
  const { public: area, private: wrapped } = (value ?? {}) as Record<string, unknown>;
  return typeof area === 'string' && typeof wrapped === 'string';
}

function keyFrom(key: StoredKey): TpmKey {
  return { public: Buffer.from(key.public, 'base64url'), private: Buffer.from(key.private, 'base64url') };
}

function requirePrivate(path: string): void {
  const loose = looseness(path);
  if (loose !== undefined) throw new KeyStoreError('loose-mode', loose);
}
