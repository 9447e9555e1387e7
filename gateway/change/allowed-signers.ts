// Who may sign: a file in OpenSSH's ALLOWED SIGNERS format (ssh-keygen(1)), read more strictly than ssh-keygen does,
// because here it says how many different people stand behind a change.

import { type SshKey, sshKey } from './ssh-key.ts';
import { SshFormatError } from './ssh-reader.ts';

export interface Signer {
  /** The name by which a signer is counted and recorded. */
  readonly principal: string;
  readonly key: SshKey;
  /** The namespaces the key may sign for; undefined for all. */
  readonly namespaces: readonly string[] | undefined;
  /** Epoch milliseconds, the first and the last at which a signature counts. */
  readonly validAfter: number | undefined;
  readonly validBefore: number | undefined;
}

/** A list of signers cannot be used. `message` says in which line, and why. */
export class SignersError extends Error {
  readonly code = 'signers-invalid';
}

const PRINCIPAL = /^[A-Za-z0-9][A-Za-z0-9.@_+-]{0,127}$/;
const OPTION = /^([a-z-]+)(?:="([^"]*)")?(?:,(?=[a-z])|$)/;
const KEY_LINE =
  /^(\S+)[ \t]+(?:([a-z-]+(?:="[^"]*")?(?:,[a-z-]+(?:="[^"]*")?)*)[ \t]+)?((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)[ \t]+(\S+)/;
const TIME = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/;

/** Reads the list; `file`, where it has one, is named in what is wrong. Throws SignersError. */
export function readAllowedSigners(text: string, file?: string): readonly Signer[] {
  const signers: Signer[] = [];
  const owners = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    try {
      const signer = signerOf(line.trim());
      const owner = owners.get(signer.key.fingerprint);
      if (owner !== undefined && owner !== signer.principal)
        throw new SshFormatError(`the key is listed for ${owner} already: one key is one person's`);
      owners.set(signer.key.fingerprint, signer.principal);
      signers.push(signer);
    } catch (error) {
      if (!(error instanceof SshFormatError)) throw error;
      const place = file === undefined ? '' : `${file}, `;
      throw new SignersError(`${place}line ${index + 1}: ${error.message}`, { cause: error });
    }
  }
  return signers;
}

function signerOf(line: string): Signer {
  const [, principal = '', options = '', type = '', blob = ''] = KEY_LINE.exec(line) ?? [];
  if (principal === '')
    throw new SshFormatError(
      'expected `name [options] key-type base64-key`, like `ada@example.com ssh-ed25519 AAAA…`',
    );
  if (!PRINCIPAL.test(principal))
    throw new SshFormatError(`${JSON.stringify(principal)} must be one name, without patterns or lists`);
  const key = sshKey(Buffer.from(blob, 'base64'));
  if (key.type !== type) throw new SshFormatError(`the key is of type ${key.type}, not ${type}`);
  return { principal, key, ...optionsOf(options) };
}

function optionsOf(text: string): Pick<Signer, 'namespaces' | 'validAfter' | 'validBefore'> {
  let namespaces: readonly string[] | undefined;
  let validAfter: number | undefined;
  let validBefore: number | undefined;
  const named = new Set<string>();
  for (let rest = text; rest !== ''; ) {
    const [whole = '', name = '', value = ''] = OPTION.exec(rest) ?? [];
    if (whole === '') throw new SshFormatError(`${JSON.stringify(rest)} is no option`);
    rest = rest.slice(whole.length);
    if (named.has(name)) throw new SshFormatError(`the option ${name} is here twice`);
    named.add(name);
    if (name === 'namespaces') namespaces = value.split(',');
    else if (name === 'valid-after') validAfter = timeOf(value);
    else if (name === 'valid-before') validBefore = timeOf(value);
    else if (name === 'cert-authority')
      throw new SshFormatError('certificate authorities are not taken: list the keys themselves');
    else throw new SshFormatError(`the option ${name} is not known here`);
  }
  return { namespaces, validAfter, validBefore };
}

/** `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, in UTC with `Z` and otherwise in the machine's zone, as in OpenSSH. */
function timeOf(text: string): number {
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = ''] = TIME.exec(text) ?? [];
  const date = `${year}-${month}-${day}`;
  const time = Date.parse(`${date}T${hour}:${minute}:${second}${zone}`);
  // A day that its month does not have would be taken for one of the next.
  if (Number.isNaN(time) || !new Date(Date.parse(date)).toISOString().startsWith(date))
    throw new SshFormatError(`${JSON.stringify(text)} is no time like 20260301Z`);
  return time;
}

/** Whether a signer's key may sign for `namespace`: what a pattern with `!` excludes, no other one admits. */
export function signsFor({ namespaces }: Signer, namespace: string): boolean {
  if (namespaces === undefined) return true;
  const excluded = namespaces.some((one) => one.startsWith('!') && matches(one.slice(1), namespace));
  return !excluded && namespaces.some((pattern) => matches(pattern, namespace));
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
}

/** Whether a signer's key counts at `now`, epoch milliseconds. */
export function isValidAt({ validAfter, validBefore }: Signer, now: number): boolean {
  return (validAfter === undefined || now >= validAfter) && (validBefore === undefined || now <= validBefore);
}
